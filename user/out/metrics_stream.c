/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of events (text/event-stream) that servers send. A stream's request is counted by
 * metrics_count() when the stream begins; here is what lasts: how many are open, for how long, and
 * what they carry.
 *
 * The invariant: opened is what the gauge says and those whose duration was counted. Bytes are
 * added as they move, since a stream may last for days.
 */
#include "out/registry.h"

void metrics_stream(struct metrics *m, const struct request *r)
{
	struct observation o = {
		.metrics = m, .request = r, .identity = identity_of(m, r->owner), .role = r->role};
	uint64_t lasted = r->end > r->first_byte ? r->end - r->first_byte : 0;

	if (r->stream == STREAM_NONE || r->role != ROLE_SERVER)
		return;
	if (r->stream == STREAM_BEGUN) {
		gauge_change(&o, FAMILY_STREAMS, 1);
		series_observe(series_of(&o, FAMILY_STREAMS_OPENED), NULL, 1);
	}
	series_observe(series_of(&o, FAMILY_STREAM_BYTES), NULL, r->stream_added);
	if (r->stream == STREAM_OVER) {
		gauge_change(&o, FAMILY_STREAMS, -1);
		series_observe(series_of(&o, FAMILY_STREAM_DURATION),
			       families[FAMILY_STREAM_DURATION].bounds, lasted);
	}
}
