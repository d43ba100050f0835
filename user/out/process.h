/* SPDX-License-Identifier: Apache-2.0 */
/* What a process costs, as Prometheus' client libraries tell it: process_* of this one. */
#ifndef SONDE_PROCESS_H
#define SONDE_PROCESS_H

#include <stdint.h>

struct process {
	double cpu_seconds;
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds, threads;
};

void process_read(struct process *p); /* what cannot be read is 0 */

#endif
