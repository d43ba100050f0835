/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON Web Token says, read where it is allowed to be read. See jwt.c for what it refuses.
 */
#ifndef SONDE_PROTO_JWT_H
#define SONDE_PROTO_JWT_H

#include "base/str.h"

#define JWT_PAYLOAD_MAX 3072 /* bytes; longer ones say nothing */

/* Room to read a token in, for the caller's stack. Nothing in it is needed afterwards but the value
 * that points there. */
struct jwt_memory {
	size_t used;
	char payload[JWT_PAYLOAD_MAX + 8];
};

/* The text of a top-level claim, e.g. "sub": a view into *memory, absent if there is none. The
 * signature is not verified: it is what somebody claims. */
struct str jwt_claim(struct str token, struct str claim, struct jwt_memory *memory);

#endif
