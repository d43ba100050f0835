/* SPDX-License-Identifier: Apache-2.0 */
/* From the number of a cgroup, as the kernel half tells it, to what its path says. */
#ifndef SONDE_GROUPS_H
#define SONDE_GROUPS_H

#include <stdint.h>

#include "who/cgroup.h"

struct groups;
struct table;

struct groups *groups_new(void);    /* NULL: no memory */
void groups_free(struct groups *g); /* NULL-safe */

void groups_made(struct groups *g, uint64_t cgroup, struct str path);
void groups_gone(struct groups *g, uint64_t cgroup);
void groups_refresh(struct groups *g); /* to be called about once a second */

/* False: nothing is known of it. The views are good until the next call of another function. */
bool groups_find(const struct groups *g, uint64_t cgroup, struct cgroup *found);

const struct table *groups_table(const struct groups *g);

#endif
