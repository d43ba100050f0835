/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All protocols by number. The list itself stands in protos.h, and only there; a number is a
 * position in it, is written into the kernel's signature rows and comes back in records. The
 * invariant: protos[PROTO_x] is &proto_x, never NULL. New rows go to the end.
 */
#include "proto/protos.h"

const struct proto *const protos[PROTO_COUNT] = {
#define PROTO_ROW(name) [PROTO_##name] = &proto_##name,
	PROTOS(PROTO_ROW)
#undef PROTO_ROW
};
