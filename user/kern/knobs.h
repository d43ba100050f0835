/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel half is told before it is loaded: tables made from user/proto and this build. */
#ifndef SONDE_KNOBS_H
#define SONDE_KNOBS_H

#include <stdint.h>

#include "event.h"

/* By system call number of this architecture: enum io_form and enum io_way. */
void knobs_io_calls(__u8 forms[IO_CALLS], __u8 ways[IO_CALLS]);
/* Rows of all protocols, chained by first byte. 0, or -E2BIG if there are more than event.h has
 * room for.
 */
int knobs_signatures(struct event_signature rows[SIGNATURE_MAX], __u8 row_of_byte[256]);
/* Bounds beyond count are above every value. */
void knobs_bounds(__u64 bounds[SHED_BOUNDS], const uint64_t *values, unsigned count);
void knobs_token_bytes(__u8 token[256]); /* RFC 9110 section 5.6.2, tchar */

#endif
