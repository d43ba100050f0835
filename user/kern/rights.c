/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities, each with the call that it is for. A capability that is not held is only told as
 * missing if what it is for has failed: the kernel knows what it asks for, its version does not
 * tell. Some stand in for others, as they do in the kernel.
 *
 * The invariant: nothing is tried here. Refused is any guess about a user namespace of one's own:
 * there all may be held, and none counts.
 */
#include "kern/rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/report.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* Inodes that the kernel gives to the first namespaces (include/linux/proc_ns.h). */
#define FIRST_USERS "user:[4026531837]"
#define FIRST_PIDS  "pid:[4026531836]"

/* The first two are of the main job. */
enum need { NEED_PROGRAMS, NEED_MEMORY, NEED_ENVIRONS, NEED_STATS };

static const struct {
	const char *name;
	unsigned capability, stand_in;
	enum need need;
	const char *gives;
} capabilities[] = {
	{"CAP_BPF", CAP_BPF, CAP_SYS_ADMIN, NEED_PROGRAMS,
	 "bpf(BPF_MAP_CREATE), bpf(BPF_PROG_LOAD): all hooks"},
	{"CAP_PERFMON", CAP_PERFMON, CAP_SYS_ADMIN, NEED_PROGRAMS,
	 "bpf(BPF_PROG_LOAD) of tracing programs: all hooks"},
	{"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE, CAP_SYS_RESOURCE, NEED_MEMORY,
	 "setrlimit(RLIMIT_MEMLOCK), where memory of programs and tables counts as locked"},
	{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, NEED_ENVIRONS,
	 "open(/proc/PID/environ): OTEL_SERVICE_NAME of processes of other users"},
	{"CAP_SYS_PTRACE", CAP_SYS_PTRACE, CAP_SYS_PTRACE, NEED_ENVIRONS,
	 "open(/proc/PID/environ): OTEL_SERVICE_NAME of processes with other rights"},
	{"CAP_SYS_ADMIN", CAP_SYS_ADMIN, CAP_SYS_ADMIN, NEED_STATS,
	 "bpf(BPF_ENABLE_STATS): sonde_probe_seconds_total, with --bpf-stats"},
};

#define CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static bool namespace_is(const char *path, const char *expected)
{
	char text[64];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n < 0)
		return true; /* nothing says otherwise */
	text[n] = '\0';
	return !strcmp(text, expected);
}

static bool is_filtered(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (f)
		fclose(f);
	return mode == 2;
}

void rights_read(struct rights *r)
{
	r->held = effective();
	r->first_users = namespace_is("/proc/self/ns/user", FIRST_USERS);
	r->first_pids = namespace_is("/proc/self/ns/pid", FIRST_PIDS);
	r->filtered = is_filtered();
}

static bool is_held(const struct rights *r, size_t i)
{
	return r->held & (BIT(capabilities[i].capability) | BIT(capabilities[i].stand_in));
}

void rights_missing(const struct rights *r, char *names, size_t size)
{
	struct buf b;

	buf_init_fixed(&b, names, size - 1);
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (capabilities[i].need == NEED_PROGRAMS && !is_held(r, i))
			buf_printf(&b, "%s%s", b.n ? " and " : "", capabilities[i].name);
	names[b.n] = '\0';
}

/* What it is for has failed. */
static bool is_missed(const struct rights_needs *needs, enum need need)
{
	switch (need) {
	case NEED_PROGRAMS:
		return needs->programs;
	case NEED_MEMORY:
		return needs->memory;
	case NEED_ENVIRONS:
		return needs->environs;
	case NEED_STATS:
		return true;
	}
	return false;
}

static void report_capability(const struct rights *r, const struct rights_needs *needs, size_t i,
			      struct report *report)
{
	enum need need = capabilities[i].need;
	bool held = is_held(r, i), own = r->held & BIT(capabilities[i].capability);
	struct finding f = {.section = "right",
			    .name = capabilities[i].name,
			    .found = own    ? "held"
				     : held ? "not held, but one that stands in for it"
					    : "not held",
			    .gives = capabilities[i].gives};

	if (held && need == NEED_PROGRAMS && needs->programs && !r->first_users) {
		f.state = FINDING_FAIL;
		f.found = "held in a user namespace of its own, where the kernel does not take it";
		f.remedy = "start the agent outside of it";
	} else if (!held && is_missed(needs, need)) {
		f.state = need <= NEED_MEMORY ? FINDING_FAIL : FINDING_LOST;
		f.remedy = "give it";
	} else if (!held) {
		f.found = "not held, and not needed here";
	}
	report_add(report, &f);
}

bool rights_held(const struct rights *r, unsigned capability)
{
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (capabilities[i].capability == capability)
			return is_held(r, i);
	return r->held & BIT(capability);
}

void rights_report(const struct rights *r, const struct rights_needs *needs, struct report *report)
{
	for (size_t i = 0; i < CAPABILITIES; i++)
		report_capability(r, needs, i, report);
	report_add(report, &(struct finding){
				   .section = "right",
				   .name = "seccomp",
				   .state = r->filtered && needs->call ? FINDING_FAIL : FINDING_OK,
				   .found = r->filtered ? "a profile is in force" : "no profile",
				   .gives = r->filtered ? "the system call bpf()" : NULL,
				   .remedy = "allow bpf() in the seccomp profile",
			   });
}
