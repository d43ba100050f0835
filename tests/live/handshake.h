/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket handshake with the example key of RFC 6455; `more`: further headers of either. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#define HANDSHAKE_ASK(path, more)                                                \
	"GET " path " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"     \
	"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
	"Sec-WebSocket-Version: 13\r\n" more "\r\n"
#define HANDSHAKE_ANSWER(more)                                                              \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" more "\r\n"

#endif
