/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A system call that has nothing to do with sockets, again and again on one core: what tracing
 * costs those who are not traced. Usage: syscalls CORE SECONDS. Prints ns a getppid(): 5th
 * percentile, median, chunks. The call goes through syscall(), so that no library can remember the
 * answer.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "chunks.h"

static int call_round(void *ctx)
{
	(void)ctx;
	return syscall(SYS_getppid) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: syscalls CORE SECONDS\n");
		return 2;
	}
	if (core_pin(atoi(argv[1])) || chunks_run(call_round, NULL, 20000, atof(argv[2]))) {
		perror("syscalls");
		return 1;
	}
	return 0;
}
