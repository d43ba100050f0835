/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one epoll: file descriptors, periodic timers and signals call back. All capacity is
 * fixed.
 */
#ifndef SONDE_LOOP_H
#define SONDE_LOOP_H

#include <stdint.h>

struct loop;
typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signal);

struct loop *loop_new(void);	/* NULL with errno */
void loop_free(struct loop *l); /* NULL-safe; closes the timers, not the caller's descriptors */

int loop_add_fd(struct loop *l, int fd, loop_fn *fn, void *ctx); /* readable; 0 or -errno */
int loop_add_timer(struct loop *l, uint64_t period_ns, loop_fn *fn, void *ctx);
/* Blocks the signals for this thread and delivers them here. List ends with 0. */
int loop_add_signals(struct loop *l, const int *signals, loop_signal_fn *fn, void *ctx);

int loop_run(struct loop *l); /* until loop_stop(); 0 or -errno */
void loop_stop(struct loop *l);

#endif
