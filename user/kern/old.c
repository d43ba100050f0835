/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half once more, as it is compiled for verifiers of before kernel 5.13 (bpf/old.bpf.h).
 * Its programs, maps and knobs have the names of the other's, so it is handled through the same
 * skeleton, in which only the bytes are others. The invariant: its knobs stand where those of the
 * other one do, which is asserted here.
 */
#include <errno.h>
#include <stdlib.h>

#include "kern/object.h"
#include "sonde_old.skel.h"

#define SAME_IN(section, knob)                                              \
	_Static_assert(offsetof(struct sonde__##section, knob) ==           \
			       offsetof(struct sonde_old__##section, knob), \
		       #knob)
#define SAME_PLACE(knob) SAME_IN(rodata, knob)

SAME_PLACE(agent_tgid);
SAME_PLACE(capture_bytes);
SAME_PLACE(detail);
SAME_PLACE(frames_protocol);
SAME_PLACE(io_ways);
SAME_PLACE(queue_time);
SAME_PLACE(ring_bytes);
SAME_PLACE(shed_bounds);
SAME_PLACE(signature_of_byte);
SAME_PLACE(signatures);
SAME_PLACE(slow_ns);
SAME_PLACE(state_hashed);
SAME_PLACE(token_bytes);
SAME_IN(data, io_table);
_Static_assert(sizeof(struct sonde__rodata) == sizeof(struct sonde_old__rodata), "knobs");

struct sonde *kern_open_old(const struct bpf_object_open_opts *options)
{
	struct sonde *skel = calloc(1, sizeof(*skel));
	int err = skel ? sonde__create_skeleton(skel) : -ENOMEM;

	if (!err) {
		skel->skeleton->data = (void *)sonde_old__elf_bytes(&skel->skeleton->data_sz);
		err = bpf_object__open_skeleton(skel->skeleton, options);
	}
	if (!err)
		return skel;
	sonde__destroy(skel);
	errno = -err;
	return NULL;
}
