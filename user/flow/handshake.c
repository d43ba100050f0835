/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opening handshake of a WebSocket, RFC 6455 section 4: the request's Upgrade names websocket
 * and it has a key; the response is a 101 whose Upgrade names it too, with the SHA-1 of that key
 * and a fixed text.
 *
 * The invariant: what is known decides, and what is not known speaks for nobody. A head without a
 * record, or cut before its end, may hold what is missing; one that came whole may not. Versions
 * and the Connection header are not looked at: a peer that minds them closes the connection.
 */
#include <nettle/base64.h>
#include <nettle/sha1.h>

#include "flow/conn.h"

#define SALT	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT_TEXT BASE64_ENCODE_RAW_LENGTH(ACCEPT_BYTES)

_Static_assert(ACCEPT_BYTES == SHA1_DIGEST_SIZE, "accept key");

static void accept_of_key(uint8_t accept[ACCEPT_BYTES], struct str key)
{
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, key.n, (const uint8_t *)key.p);
	sha1_update(&sha1, sizeof(SALT) - 1, (const uint8_t *)SALT);
	sha1_digest(&sha1, ACCEPT_BYTES, accept);
}

static void accept_of_text(uint8_t accept[ACCEPT_BYTES], struct str text)
{
	uint8_t bytes[BASE64_DECODE_LENGTH(ACCEPT_TEXT)];
	struct base64_decode_ctx base64;
	size_t n = 0;

	if (text.n != ACCEPT_TEXT)
		return;
	base64_decode_init(&base64);
	if (base64_decode_update(&base64, &n, bytes, text.n, text.p) &&
	    base64_decode_final(&base64) && n == ACCEPT_BYTES)
		memcpy(accept, bytes, ACCEPT_BYTES);
}

struct handshake handshake_of(const struct msg *msg)
{
	bool request = msg->kind == MSG_REQUEST;
	struct str key = msg->ids[request ? ID_WEBSOCKET_KEY : ID_WEBSOCKET_ACCEPT];
	struct handshake h = {.upgrade = msg->ids[ID_UPGRADE].n};

	if (!h.upgrade || !key.n)
		return h;
	h.keyed = true;
	if (request)
		accept_of_key(h.accept, key);
	else
		accept_of_text(h.accept, key);
	return h;
}

/* Nothing that is known speaks against it. */
static bool accepted(const struct exchange *x, const struct handshake *answer)
{
	const struct handshake *asked = &x->handshake;

	if (x->request.status != 101 || (x->request_head && !asked->keyed) ||
	    (x->response_head && !answer->keyed))
		return false;
	return !asked->keyed || !answer->keyed ||
	       memcmp(asked->accept, answer->accept, ACCEPT_BYTES) == 0;
}

enum request_handshake handshake_judge(const struct exchange *x, const struct handshake *answer)
{
	bool upgraded = answer->upgrade && x->request.status == 101;

	if (!x->request.status || !(x->handshake.upgrade || upgraded))
		return HANDSHAKE_NONE;
	return accepted(x, answer) ? HANDSHAKE_ACCEPTED : HANDSHAKE_REFUSED;
}
