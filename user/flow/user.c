/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_id: from a header, or from a claim of the JSON Web Token of an Authorization header of the
 * scheme Bearer (RFC 6750). The token is read where it lies, decoded on the stack, and neither
 * verified nor kept nor counted nor told of: the id is what the client claims.
 *
 * The invariant: what is filled is a whole id, or the hash of a whole one. One that does not fit is
 * left out, since a part of it could be somebody else's. The hash is HMAC-SHA256, so that nobody
 * without the key can try out names.
 */
#include "flow/user.h"

#include <nettle/hmac.h>
#include <stdlib.h>

#include "base/hex.h"
#include "proto/jwt.h"

_Static_assert(EVENT_CAPTURE_MAX / 4 * 3 <= JWT_PAYLOAD_MAX, "a payload of a head");

struct users {
	struct user_options options;
	struct hmac_sha256_ctx keyed; /* ready for the next id */
};

struct users *users_new(const struct user_options *options)
{
	struct users *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->options = *options;
	u->options.key = (struct str){NULL, 0};
	hmac_sha256_set_key(&u->keyed, options->key.n, (const uint8_t *)options->key.p);
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	explicit_bzero(&u->keyed, sizeof(u->keyed));
	free(u);
}

/* The token of an Authorization value; absent if its scheme is another one. */
static struct str bearer_token(struct str value)
{
	struct str scheme = str_cut(&value, ' ');

	return str_eq_nocase(scheme, STR("Bearer")) ? str_trim(value) : (struct str){NULL, 0};
}

static void fill_hash(struct users *u, struct request *r, struct str id)
{
	uint64_t hash;
	char text[2 * sizeof(hash)];

	hmac_sha256_update(&u->keyed, id.n, (const uint8_t *)id.p);
	hmac_sha256_digest(&u->keyed, sizeof(hash), (uint8_t *)&hash);
	hex_write(text, be64toh(hash));
	request_set(r, user_id, ((struct str){text, sizeof(text)}));
}

static void fill_id(struct users *u, struct request *r, struct str id)
{
	if (id.n && u->options.hash)
		fill_hash(u, r, id);
	else if (id.n && id.n <= sizeof(r->user_id))
		request_set(r, user_id, id);
}

static void fill_header(struct users *u, struct request *r, struct str name, const struct msg *msg)
{
	fill_id(u, r, name.n ? r->proto->field(msg->head, name) : msg->ids[ID_USER]);
}

/* Apart, so that requests without a token need no room for one. */
static __attribute__((noinline)) void fill_claim(struct users *u, struct request *r,
						 struct str claim, struct str authorization)
{
	struct jwt_memory memory;

	fill_id(u, r, jwt_claim(bearer_token(authorization), claim, &memory));
}

void users_fill(struct users *u, struct request *r, const struct msg *msg)
{
	for (unsigned i = 0; i < u->options.source_count && !r->length.user_id; i++) {
		const struct user_source *source = &u->options.sources[i];

		if (source->kind == USER_HEADER)
			fill_header(u, r, source->name, msg);
		else if (msg->ids[ID_AUTHORIZATION].n)
			fill_claim(u, r, source->name, msg->ids[ID_AUTHORIZATION]);
	}
}
