/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What labels say: for each label a function that takes a word from what is observed.
 *
 * Invariants: every label has few values or a cap. Methods outside the known ones are `_OTHER`;
 * routes, addresses and close codes are bounded a service, past that they are "other", as are
 * close codes that nobody may send; a status above 999 is none. Words with few values are made at
 * the start, or at their first use among the constants, which have room for all of them.
 */
#include "out/addr.h"
#include "out/registry.h"
#include "out/terms.h"
#include "proto/websocket.h"

const char *const identity_label_names[IDENTITY_LABELS] = {
	[LABEL_SERVICE] = "service",
	[LABEL_NAMESPACE] = "namespace",
	[LABEL_POD] = "pod",
	[LABEL_CONTAINER] = "container",
};

const char *const known_methods[] = {
	"_OTHER", "GET",     "POST",  "PUT",	 "DELETE", "PATCH",
	"HEAD",	  "OPTIONS", "TRACE", "CONNECT", NULL,
};

static const struct word *constant(struct metrics *m, const char *text)
{
	return text ? words_get(m->constants, 0, str_of(text)) : NULL;
}

void labels_make(struct metrics *m)
{
	static const char *const types[WEBSOCKET_TYPES] = {
		[WEBSOCKET_TEXT] = "text",   [WEBSOCKET_BINARY] = "binary",
		[WEBSOCKET_CLOSE] = "close", [WEBSOCKET_PING] = "ping",
		[WEBSOCKET_PONG] = "pong",
	};

	m->rest = constant(m, "other");
	m->aborted = constant(m, "aborted");
	m->directions[DIR_IN] = constant(m, "received");
	m->directions[DIR_OUT] = constant(m, "sent");
	for (unsigned role = ROLE_NONE; role <= ROLE_CLIENT; role++)
		m->roles[role] = constant(m, role_term(role));
	for (unsigned i = INITIATOR_NETWORK; i <= INITIATOR_CLIENT; i++)
		m->initiators[i] = constant(m, initiator_term(i));
	for (unsigned type = 0; type < WEBSOCKET_TYPES; type++)
		m->types[type] = constant(m, types[type]);
	for (unsigned i = 0; known_methods[i]; i++)
		m->methods[i] = constant(m, known_methods[i]);
}

static const struct word *method_word(struct observation *o)
{
	struct str op = request_str(o->request, op);
	struct metrics *m = o->metrics;

	for (unsigned i = 1; m->methods[i]; i++)
		if (str_eq(op, m->methods[i]->text))
			return m->methods[i];
	return m->methods[0];
}

static const struct word *new_status_word(struct metrics *m, uint16_t status)
{
	char digits[8];
	struct buf b;

	buf_init_fixed(&b, digits, sizeof(digits));
	buf_u64(&b, status);
	return words_get(m->constants, 0, buf_view(&b));
}

static const struct word *status_word(struct metrics *m, uint16_t status)
{
	if (status == 0 || status >= STATUS_MAX)
		return NULL;
	if (!m->statuses[status])
		m->statuses[status] = new_status_word(m, status);
	return m->statuses[status];
}

static const struct word *response_status_word(struct observation *o)
{
	return status_word(o->metrics, o->request->status);
}

static const struct word *error_word(struct observation *o)
{
	const struct request *r = o->request;

	if (r->error == REQUEST_ABORTED)
		return o->metrics->aborted;
	return r->status >= (r->role == ROLE_CLIENT ? 400 : 500)
		       ? status_word(o->metrics, r->status)
		       : NULL;
}

static const struct word *capped_word(struct observation *o, enum word_scope scope, struct str s)
{
	struct identity *i = o->identity;
	struct metrics *m = o->metrics;
	const struct word *word;

	if (!s.n)
		return NULL;
	word = words_find(m->words, identity_scope(i, scope), s);
	if (word)
		return word;
	if (i->made[scope] < m->options.routes_max)
		word = words_get(m->words, identity_scope(i, scope), s);
	if (!word) {
		o->coarse = true;
		return m->rest;
	}
	i->made[scope]++;
	return word;
}

static const struct word *route_word(struct observation *o)
{
	bool client = o->request->role == ROLE_CLIENT;

	if (str_eq(request_str(o->request, route), STR(ROUTE_OTHER)))
		return o->metrics->rest;
	return capped_word(o, client ? SCOPE_CLIENT_ROUTE : SCOPE_SERVER_ROUTE,
			   request_str(o->request, route));
}

static const struct word *address_word(struct observation *o)
{
	const struct request *r = o->request;
	char text[ADDR_TEXT_MAX];
	struct buf b;

	if (r->length.host)
		return capped_word(o, SCOPE_ADDRESS, request_str(r, host));
	buf_init_fixed(&b, text, sizeof(text));
	addr_write_ip(&b, &r->peer);
	return capped_word(o, SCOPE_ADDRESS, buf_view(&b));
}

static const struct word *role_word(struct observation *o)
{
	return o->metrics->roles[o->role <= ROLE_CLIENT ? o->role : ROLE_NONE];
}

static const struct word *direction_word(struct observation *o)
{
	return o->metrics->directions[o->dir];
}

static const struct word *type_word(struct observation *o)
{
	return o->metrics->types[o->type];
}

static const struct word *initiator_word(struct observation *o)
{
	return o->metrics->initiators[o->websocket->initiator];
}

/* A peer may write any number: those that RFC 6455 leaves to nobody are one. */
static const struct word *close_code_word(struct observation *o)
{
	uint16_t code = o->websocket->close_code;
	char digits[8];
	struct buf b;

	if (!websocket_code_name(code).n && (code < 3000 || code > 4999))
		return o->metrics->rest;
	buf_init_fixed(&b, digits, sizeof(digits));
	buf_u64(&b, code);
	return capped_word(o, SCOPE_CLOSE_CODE, buf_view(&b));
}

const struct label label_method = {"http_request_method", method_word, REST_METHOD};
const struct label label_route = {"http_route", route_word, REST_OTHER};
const struct label label_status = {"http_response_status_code", response_status_word, REST_ABSENT};
const struct label label_error = {"error_type", error_word, REST_ABSENT};
const struct label label_address = {"server_address", address_word, REST_OTHER};
const struct label label_role = {"role", role_word, REST_ABSENT};
const struct label label_reason = {"reason", NULL, REST_ABSENT};
const struct label label_direction = {"direction", direction_word, REST_ABSENT};
const struct label label_type = {"type", type_word, REST_ABSENT};
const struct label label_close_code = {"close_code", close_code_word, REST_OTHER};
const struct label label_initiator = {"initiator", initiator_word, REST_ABSENT};
