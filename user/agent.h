/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running agent: one of each room, wired. main.c makes, runs and ends it; everything that flows
 * between rooms flows through agent.c.
 */
#ifndef SONDE_AGENT_H
#define SONDE_AGENT_H

struct agent;
struct options;

/* NULL after one line on stderr that says what failed, because of what, and what to do. */
struct agent *agent_new(const struct options *options);
int agent_run(struct agent *a);	  /* until SIGTERM, SIGINT or a closed stdout; 0 or -errno */
void agent_free(struct agent *a); /* NULL-safe; detaches, prints the last lines */

#endif
