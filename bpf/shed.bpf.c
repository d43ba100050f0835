// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The shed table: per processor, by process, port, role, protocol, method, status. Sums are added
 * atomically all the same, because the close of a connection may count in the softirq that
 * interrupts a send. A key for which there is no room counts under the coarse one of its role,
 * which exists from the start: nothing is lost but detail.
 *
 * Bucket bounds are those of the metrics, in rodata. The last one never ends a search: what lies
 * above all stands in the bucket behind them.
 */
#include "line.bpf.h"

#define SKIPPED_MAX 32 /* requests that wait at once */

const volatile __u64 shed_bounds[SHED_BOUNDS] = {};
static const volatile struct event_shed shed_nothing = {};

static __always_inline void times_add(struct event_times *t, __u64 from, __u64 to, __u32 n)
{
	__u64 ns = to > from ? to - from : 0;
	__u32 i = 0;

	while (i < SHED_BOUNDS && ns > shed_bounds[i])
		i++;
	__sync_fetch_and_add(&t->sum, ns * n);
	if (i <= SHED_BOUNDS)
		__sync_fetch_and_add(&t->buckets[i], n);
}

/* Makes the key the coarse one if there is no room. */
static __always_inline struct event_shed *shed_find(struct event_shed_key *key)
{
	struct event_shed *s = bpf_map_lookup_elem(&shed, key);

	if (s)
		return s;
	bpf_map_update_elem(&shed, key, (const void *)&shed_nothing, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&shed, key);
	if (s)
		return s;
	count(COUNT_SHED_FULL);
	*key = (struct event_shed_key){.role = key->role, .protocol = key->protocol};
	return bpf_map_lookup_elem(&shed, key);
}

static __always_inline int shed_put(struct event_shed_key *key, __u64 start, __u64 first, __u64 end,
				    __u32 n)
{
	struct event_shed *s = shed_find(key);

	if (!s)
		return 0;
	if (first == end) {
		times_add(&s->at_once, start, end, n);
		return 0;
	}
	times_add(&s->duration, start, end, n);
	if (first)
		times_add(&s->first_byte, start, first, n);
	return 0;
}

#ifdef OLD_VERIFIER
int shed_add_words(__u64 low, __u64 high, __u64 start, __u64 first, __u64 end)
{
	const __u64 word[2] = {low, high};
	struct event_shed_key key;

	__builtin_memcpy(&key, word, sizeof(key));
	return shed_put(&key, start, first, end, high >> 32);
}
#else
int shed_add(struct event_shed_key *key, __u64 start, __u64 first, __u64 end, __u32 n)
{
	struct event_shed_key own; /* kernels before 6.2 take no other */

	if (!key)
		return 0;
	own = *key;
	return shed_put(&own, start, first, end, n);
}
#endif

#ifdef OLD_VERIFIER
int response_skip_of(__u64 sk, int but)
{
	struct conn *c = bpf_map_lookup_elem(&hashed_conns, &sk);
#else
int response_skip(struct conn *c, int but)
{
#endif
	__u32 answered, first;
	__s32 skipped;

	if (!c)
		return 0;
	first = c->half[MESSAGE_RESPONSE].count + 1;
	skipped = c->half[MESSAGE_REQUEST].count - first + 1 - but;
	if (skipped > SKIPPED_MAX)
		skipped = SKIPPED_MAX;
	if (skipped <= 0)
		return 0;
	/* each is one that was held, or else unknown */
	for (answered = 0; answered < SKIPPED_MAX && answered < (__u32)skipped; answered++) {
		if (!held_clear(c, first + answered))
			continue;
		count(COUNT_UNREAD);
		c->counted++;
		c->unknown--;
	}
	c->unknown += answered;
	c->half[MESSAGE_RESPONSE].count += answered;
	return 0;
}

int shed_abort(struct conn *c, __u64 now)
{
	struct event_shed_key key = {.aborted = 1};
	__u32 owed, last;

	if (!c)
		return 0;
	last = c->half[MESSAGE_REQUEST].count;
	owed = last - c->half[MESSAGE_RESPONSE].count;
	key.tgid = c->tgid;
	key.port = c->shed_key.port;
	key.role = c->role;
	key.protocol = c->protocol;
	key.row = c->half[MESSAGE_REQUEST].row;
	for (__u32 i = 0; i < STARTS && i < owed; i++) {
		__u64 start = c->starts[(last - i) % STARTS];

		shed_add(&key, start, 0, now, i == STARTS - 1 ? owed - i : 1);
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
