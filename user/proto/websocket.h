/* SPDX-License-Identifier: Apache-2.0 */
/* What RFC 6455 names: close codes. The frames themselves are walked in the kernel half. */
#ifndef SONDE_PROTO_WEBSOCKET_H
#define SONDE_PROTO_WEBSOCKET_H

#include "base/str.h"

enum {
	WEBSOCKET_CODE_NORMAL = 1000,
	WEBSOCKET_CODE_NONE = 1005,	/* the close frame had no code */
	WEBSOCKET_CODE_ABNORMAL = 1006, /* no close frame was seen */
};

/* Name of a close code, e.g. "going_away"; absent if nobody has given it one. */
struct str websocket_code_name(uint16_t code);

/* Does somebody have to look at it? 1006, 1011 to 1015, and the application's own 4000 to 4999. */
bool websocket_code_is_abnormal(uint16_t code);

#endif
