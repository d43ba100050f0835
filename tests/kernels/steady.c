/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steady COMMAND...: runs it so that it loses the processor only where it waits (SCHED_FIFO). From
 * 7.0 on a kernel skips a hook while another process stands still in it; a test of the agent's
 * own exactness does not want that.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sched_param least = {.sched_priority = 1};

	if (argc < 2)
		return 2;
	if (sched_setscheduler(0, SCHED_FIFO, &least)) {
		perror("sched_setscheduler");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
