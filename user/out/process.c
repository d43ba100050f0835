/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's own costs, from /proc/self and the C library. Read once a scrape, so it may be slow.
 *
 * Invariant: the number of open descriptors does not count the one that is opened to count them.
 * Refuses nothing: where /proc is not mounted the figures are 0, and the agent goes on.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "out/process.h"

static uint64_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	uint64_t n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void read_memory(struct process *p)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total, resident;

	if (!f)
		return;
	if (fscanf(f, "%lu %lu", &total, &resident) == 2) {
		p->virtual_bytes = total * page;
		p->resident_bytes = resident * page;
	}
	fclose(f);
}

void process_read(struct process *p)
{
	struct timespec cpu = {0};
	struct rlimit files = {0};

	*p = (struct process){0};
	read_memory(p);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	p->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
	getrlimit(RLIMIT_NOFILE, &files);
	p->max_fds = files.rlim_cur;
	p->threads = count_entries("/proc/self/task");
	p->open_fds = count_entries("/proc/self/fd");
	if (p->open_fds)
		p->open_fds--;
}
