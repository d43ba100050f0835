/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus exposition: text 0.0.4 and OpenMetrics 1.0 from one set of calls. A family is
 * announced once, then its samples follow. Counters are named with _total in the family row;
 * OpenMetrics drops it from HELP and TYPE as its specification wants.
 */
#ifndef SONDE_PROM_H
#define SONDE_PROM_H

#include "base/buf.h"

enum prom_format { PROM_TEXT, PROM_OPENMETRICS };
enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

struct prom_family {
	const char *name; /* with _total for counters */
	enum prom_type type;
	const char *unit; /* "seconds", "bytes" or NULL; for OpenMetrics' # UNIT */
	const char *help;
};

struct prom_label {
	const char *name;
	struct str value; /* an empty value leaves the label out */
};

/* A request of a bucket, so that its trace can be looked up. Only OpenMetrics has room for it. */
struct prom_exemplar {
	struct str trace_id; /* empty: there is none */
	double value;
	uint64_t time_ms; /* since 1970; 0: not known */
};

struct prom_buckets {
	const double *bounds; /* upper ones */
	unsigned bound_count;
	const uint64_t *counts; /* bound_count + 1: not cumulative, the last is above all bounds */
	double sum;		/* in the family's unit */
	const struct prom_exemplar *exemplars; /* of each count, or NULL */
};

struct prom {
	struct buf *out;
	enum prom_format format;
};

const char *prom_content_type(enum prom_format format);
void prom_family(struct prom *p, const struct prom_family *family);
void prom_u64(struct prom *p, const struct prom_family *family, const struct prom_label *labels,
	      unsigned label_count, uint64_t value);
void prom_double(struct prom *p, const struct prom_family *family, const struct prom_label *labels,
		 unsigned label_count, double value);
void prom_histogram(struct prom *p, const struct prom_family *family,
		    const struct prom_label *labels, unsigned label_count,
		    const struct prom_buckets *buckets);
void prom_end(struct prom *p); /* # EOF where it belongs */

#endif
