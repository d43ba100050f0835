/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket as a protocol row: it has a number, a name and a logger, but no signature (a handshake
 * turns an HTTP connection into it) and no parser: frames are walked in the kernel half, which
 * copies no payload. Here are the close codes of RFC 6455 section 7.4.1 and the IANA registry.
 */
#include "proto/protos.h"
#include "proto/websocket.h"

static const char *const code_names[] = {
	"normal",
	"going_away",
	"protocol_error",
	"unsupported_data",
	"reserved",
	"no_status",
	"abnormal",
	"invalid_payload",
	"policy_violation",
	"message_too_big",
	"mandatory_extension",
	"internal_error",
	"service_restart",
	"try_again_later",
	"bad_gateway",
	"tls_handshake",
};
#define CODE_FIRST 1000
#define CODE_NAMES (sizeof(code_names) / sizeof(code_names[0]))

struct str websocket_code_name(uint16_t code)
{
	if (code < CODE_FIRST || code >= CODE_FIRST + CODE_NAMES)
		return (struct str){0};
	return str_of(code_names[code - CODE_FIRST]);
}

bool websocket_code_is_abnormal(uint16_t code)
{
	return code == WEBSOCKET_CODE_ABNORMAL || (code >= 1011 && code <= 1015) ||
	       (code >= 4000 && code <= 4999);
}

const struct proto proto_websocket = {
	.name = "websocket",
	.logger = "sonde.websocket",
	.framing = PROTO_FRAMES,
};
