/* SPDX-License-Identifier: Apache-2.0 */
/* The arrows between the rooms; see pipeline.c. */
#ifndef SONDE_PIPELINE_H
#define SONDE_PIPELINE_H

#include "flow/flow.h"
#include "kern/intake.h"
#include "kern/kern.h"
#include "scrape.h"

struct metrics_options;
struct options;

/* What the kernel half is asked for. */
struct kern_options pipeline_kern(const struct options *o);

/* Where records go. s is borrowed, and its rooms may be made later. */
struct intake_handlers pipeline_intake(struct scrape *s);
/* Which traces can be looked up. */
void pipeline_metrics(struct scrape *s, struct metrics_options *o);
/* What waits for names; looked at with each tick, and with ~0 at the end. NULL: no memory. */
struct late *pipeline_late(struct scrape *s);
/* Where flow/ tells what it has found: fills its functions in. */
void pipeline_flow(struct scrape *s, struct flow_options *o);

#endif
