/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * TCP connections added up by process, in the kernel: a full ring loses none of them. The entry of
 * a process stays until user space has found it gone and taken the last figures; what finds no room
 * is counted as COUNT_LIFE_FULL. Lost uncounted can be only a retransmit after its process's end,
 * if it is added at the very moment in which the entry is removed.
 */
#ifndef SONDE_LIFE_BPF_H
#define SONDE_LIFE_BPF_H

#include "maps.bpf.h"

/* Fields of struct event_life, as positions */
enum {
	LIFE_OPENED_SERVER = ROLE_SERVER,
	LIFE_OPENED_CLIENT = ROLE_CLIENT,
	LIFE_CONNECT_FAILED = 3,
	LIFE_RETRANSMIT = 4,
	LIFE_RETRANSMIT_SERVER = 5,
	LIFE_RETRANSMIT_CLIENT = 6,
	LIFE_URING_UNREAD = 7,
};

/* Not on the stack: there is little of it. */
static const volatile struct event_life life_nothing = {};

static __always_inline void life_add(__u32 tgid, __u32 field)
{
	struct event_life *l = bpf_map_lookup_elem(&life, &tgid);

	if (!l) {
		bpf_map_update_elem(&life, &tgid, (const void *)&life_nothing, BPF_NOEXIST);
		l = bpf_map_lookup_elem(&life, &tgid);
	}
	if (!l)
		count(COUNT_LIFE_FULL);
	else if (field < sizeof(*l) / sizeof(__u64))
		__sync_fetch_and_add((__u64 *)l + field, 1);
}

#endif
