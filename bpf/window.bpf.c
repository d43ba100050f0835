// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * First bytes against the signature rows. Rows are data from user space, chained by their first
 * byte; the one rule that no mask can say is here: a request line with a method that has no row,
 * which is an RFC 9110 token, a space and something visible.
 */
#include "line.bpf.h"

extern const volatile __u8 signature_of_byte[256]; /* first row that begins so, or 0 */
extern const volatile __u8 token_bytes[256];	   /* RFC 9110 tchar */

int window_match(__u64 first, __u64 second)
{
	__u32 row = signature_of_byte[first & 0xff];

	for (int i = 0; i < SIGNATURES_PER_BYTE && row; i++) {
		const volatile struct event_signature *s = &signatures[row & (SIGNATURE_MAX - 1)];

		if ((first & s->mask[0]) == s->value[0] && (second & s->mask[1]) == s->value[1])
			return row & (SIGNATURE_MAX - 1);
		row = s->next;
	}
	return ROW_NONE;
}

int window_is_token_line(__u64 first, __u64 second)
{
	for (int i = 0; i < SIGNATURE_BYTES - 1; i++) {
		__u8 byte = first & 0xff;

		first = first >> 8 | second << 56;
		second >>= 8;
		if (byte == ' ')
			return i && (first & 0xff) > ' ' && (first & 0xff) < 0x7f;
		if (!token_bytes[byte])
			return 0;
	}
	return 0;
}

/* Is this the beginning of a method, or of a row that begins with the same byte? */
int window_may_match(__u64 first, __u64 second, __u32 n)
{
	__u64 high = n > 8 ? (1ULL << (8 * (n - 8) & 63)) - 1 : 0;
	__u64 low = n < 8 ? (1ULL << (8 * n & 63)) - 1 : ~0ULL;
	__u32 row = signature_of_byte[first & 0xff];

	for (int i = 0; i < SIGNATURES_PER_BYTE && row; i++) {
		const volatile struct event_signature *s = &signatures[row & (SIGNATURE_MAX - 1)];

		if ((first & s->mask[0]) == (s->value[0] & low) &&
		    (second & s->mask[1]) == (s->value[1] & high))
			return 1;
		row = s->next;
	}
	for (__u32 i = 0; i < SIGNATURE_BYTES - 1; i++) {
		__u8 byte = first & 0xff;

		if (i >= n || byte == ' ')
			return i > 0; /* a method alone, or with its space and nothing behind */
		if (!token_bytes[byte])
			return 0;
		first = first >> 8 | second << 56;
		second >>= 8;
	}
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
