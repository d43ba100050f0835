/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids that travel in headers. So far: X-Request-ID, else X-Correlation-ID, of the request or else
 * of the response; trace and parent from a traceparent that is valid by W3C Trace Context,
 * section 3.2. What is not valid is left out; nothing is invented here.
 */
#include "flow/flow.h"

#define TRACEPARENT_MIN 55 /* 00-<32>-<16>-<2> */

static bool lower_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static bool lower_hex_nonzero(struct str s)
{
	bool nonzero = false;

	for (size_t i = 0; i < s.n; i++)
		nonzero |= s.p[i] != '0';
	return nonzero && lower_hex(s);
}

static bool traceparent_valid(struct str s)
{
	if (s.n < TRACEPARENT_MIN || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
		return false;
	if (!lower_hex((struct str){s.p, 2}) || (s.p[0] == 'f' && s.p[1] == 'f'))
		return false; /* ff is a forbidden version */
	if (s.p[0] == '0' && s.p[1] == '0' ? s.n != TRACEPARENT_MIN
					   : s.n > TRACEPARENT_MIN && s.p[55] != '-')
		return false; /* later versions may only append */
	return lower_hex_nonzero((struct str){s.p + 3, 32}) &&
	       lower_hex_nonzero((struct str){s.p + 36, 16}) &&
	       lower_hex((struct str){s.p + 53, 2});
}

void trace_request_id(struct request *r, const struct str ids[ID_COUNT])
{
	if (!r->length.request_id)
		request_set(r, request_id,
			    ids[ID_REQUEST_ID].n ? ids[ID_REQUEST_ID] : ids[ID_CORRELATION_ID]);
}

void trace_parent(struct request *r, const struct str ids[ID_COUNT])
{
	struct str parent = ids[ID_TRACEPARENT];

	if (!traceparent_valid(parent))
		return;
	request_set(r, trace_id, ((struct str){parent.p + 3, 32}));
	request_set(r, parent_id, ((struct str){parent.p + 36, 16}));
}
