// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The far buffers of a vectored call, those that io.bpf.h has not looked at. A head may be spread
 * over them, and the last bytes of a body stand in one of them. Each look reads a few entries of
 * the caller's array; past IO_FAR nothing is looked at: a head is then cut there, and a tail is not
 * known.
 */
#include "line.bpf.h"

#define CHUNK 2 /* entries read at once; on the stack */

static __always_inline long vector_read(void *to, __u32 n, const struct hit *hit, __u32 from)
{
	const void *at = (const void *)(hit->vector + from * sizeof(struct user_iovec));

	n *= sizeof(struct user_iovec);
	return hit->in_kernel ? bpf_probe_read_kernel(to, n, at) : bpf_probe_read_user(to, n, at);
}

int vector_part(struct hit *hit, struct part *p, __u32 i)
{
	PLACED_PART(hit, p);
	struct user_iovec v = {};

	if (!hit || !p || i >= hit->vectors)
		return 0;
	if (i < IO_NEAR)
		v = hit->near[i & (IO_NEAR - 1)];
	else if (vector_read(&v, 1, hit, i))
		return 0;
	p->addr = v.base;
	p->len = v.len > hit->moved ? hit->moved : v.len;
	return 1;
}

int vector_frames(struct hit *hit, struct frame_half *h)
{
	PLACED_HALF(hit, h);
	struct user_iovec v;

	if (!hit || !h || h->buffer >= hit->vectors || vector_read(&v, 1, hit, h->buffer))
		return 0;
	h->addr = v.base;
	h->avail = v.len > hit->moved ? hit->moved : v.len;
	return 1;
}

int window_gather(struct hit *hit, struct conn *c)
{
	PLACED_CONN(hit, c);
	struct part own = {}, *p = place_part(&own);
	struct early *early;
	__u32 had;

	if (!hit || !c || !p)
		return 0;
	early = &c->early[hit->dir & 1];
	had = c->early_filled[hit->dir & 1];
	for (__u32 i = 0; i < SIGNATURE_BYTES && had < SIGNATURE_BYTES; i++) {
		__u32 n, at = had;

		if (!vector_part(hit, p, i))
			break;
		/* clang leaves the mask out otherwise, and the verifier of 6.1 loses the bound */
		asm volatile("" : "+r"(at));
		n = p->len < SIGNATURE_BYTES ? p->len : SIGNATURE_BYTES;
		if (bpf_probe_read_user((__u8 *)early->word + (at & (SIGNATURE_BYTES - 1)), n,
					(void *)p->addr))
			return 0;
		had += n;
	}
	return had < SIGNATURE_BYTES ? had : SIGNATURE_BYTES;
}

__u64 tail_far(struct hit *hit, __u64 left, __u64 most)
{
	PLACED_HIT(hit);
	struct user_iovec chunk[CHUNK];

	if (!hit)
		return 0;
	for (__u32 i = IO_NEAR; i < IO_FAR && i < hit->vectors; i += CHUNK) {
		__u32 n = hit->vectors - i;

		n = n < CHUNK ? n : CHUNK;
		__builtin_memset(chunk, 0, sizeof(chunk));
		if (vector_read(chunk, n, hit, i))
			return 0;
		for (__u32 k = 0; k < CHUNK; k++) {
			if (chunk[k].len >= left)
				return left <= most ? tail_of(chunk[k].base, left) : 0;
			left -= chunk[k].len;
		}
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
