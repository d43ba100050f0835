/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into the agent (--wrap=bpf_prog_load), this makes it say what the verifier thought of each
 * program that it loads: a line `NAME INSTRUCTIONS MICROSECONDS` in the file $BUDGET. So programs
 * and knobs are the agent's own. Loads by which libbpf only asks what the kernel can are left
 * alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#define LOG_STATISTICS 4

int __real_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t insn_count,
			 const struct bpf_prog_load_opts *options);
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t insn_count,
			 const struct bpf_prog_load_opts *options);

static void budget_say(const char *name, const char *log)
{
	const char *path = getenv("BUDGET"), *time = strstr(log, "verification time ");
	const char *count = strstr(log, "processed ");
	FILE *f = path && count ? fopen(path, "ae") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %lu %lu\n", name, strtoul(count + strlen("processed "), NULL, 10),
		time ? strtoul(time + strlen("verification time "), NULL, 10) : 0);
	fclose(f);
}

int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t insn_count,
			 const struct bpf_prog_load_opts *options)
{
	static char log[1 << 20];
	struct bpf_prog_load_opts asked;
	int fd;

	if (!options || options->log_level)
		return __real_bpf_prog_load(type, name, license, insns, insn_count, options);
	asked = *options;
	log[0] = '\0';
	asked.log_level = LOG_STATISTICS;
	asked.log_buf = log;
	asked.log_size = sizeof(log);
	fd = __real_bpf_prog_load(type, name, license, insns, insn_count, &asked);
	if (fd >= 0)
		budget_say(name, log);
	return fd;
}
