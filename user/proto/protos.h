/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that names all protocols. Numbers are positions and travel in records. */
#ifndef SONDE_PROTOS_H
#define SONDE_PROTOS_H

#include "proto/proto.h"

extern const struct proto proto_http1;
extern const struct proto proto_tls; /* recognised, not readable */
extern const struct proto proto_websocket;

#define PROTOS(row) row(http1) row(tls) row(websocket)

enum proto_number {
#define PROTO_NUMBER(name) PROTO_##name,
	PROTOS(PROTO_NUMBER)
#undef PROTO_NUMBER
		PROTO_COUNT
};

extern const struct proto *const protos[PROTO_COUNT];

#endif
