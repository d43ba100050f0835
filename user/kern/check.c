/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde check`: would it work here, and if not, why? Each question is a row. Backends are tried
 * first, whole, as the agent would: what else is missing is judged by whether one of them works.
 * Then each program is tried by itself, loaded and attached for a moment, because only the kernel
 * knows. Nothing is left behind, and nothing that was seen is read.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "kern/object.h"
#include "kern/rights.h"

#define TRIALS_MAX 8 /* backends */

static const struct {
	const char *program;
	const char *gives;
} hooks[] = {
	{"sock_sent", "what processes send, in backend sock (kernel 6.3 and later)"},
	{"sock_received", "what processes receive, in backend sock"},
	{"tcp_sent", "what processes send, in backend fexit (kernel 5.17, arm64 6.4)"},
	{"tcp_received", "what processes receive, in backend fexit"},
	{"unix_sent", "unix sockets in backend fexit"},
	{"unix_received", "unix sockets in backend fexit"},
	{"tcp_sent_page", "sendfile in backend fexit, before kernel 6.5"},
	{"unix_sent_page", "the same to unix sockets, in backend fexit"},
	{"call_ended", "what processes move, in backend syscall (kernel 5.10)"},
	{"sock_state", "opening of connections, and who closed them"},
	{"sock_state_again", "the same, where the kernel skips the first"},
	{"sock_destroyed", "ends of connections, aborted requests"},
	{"sock_destroyed_again", "the same, where the kernel skips the first"},
	{"process_exec", "names of processes that live shortly"},
	{"process_exit", "forgetting processes that ended"},
	{"sweep_conns", "forgetting connections whose end no hook tells"},
	{"sweep_frames", "open WebSocket connections, in backends sock and fexit"},
	{"cgroup_made", "pods of processes that live for a moment"},
	{"cgroup_removed", "forgetting the same"},
	{"sweep_cgroups", "the same, in containers that are older than the agent"},
	{"sweep_hashed_conns", "as sweep_conns, in backend syscall"},
	{"sweep_hashed_frames", "as sweep_frames, in backend syscall"},
	{"sock_readable", "http_server_request_queue_seconds, with --queue-time"},
	{"sock_retransmitted", "tcp_retransmits_total"},
	{"uring_file", "requests through io_uring"},
	{"uring_submit", "the same on registered files"},
	{"uring_wait", "the same, where they wait for a registered file"},
};

struct check {
	const struct kern_options *options;
	struct report *report;
	struct rights rights;
	struct rights_needs needs;
	rlim_t memlock; /* before anybody raised it */
	bool failed[TRIALS_MAX];
	char why[TRIALS_MAX][sizeof(((struct kern_verdict *)0)->why)];
	size_t chosen;	      /* a backend, or TRIALS_MAX */
	bool old[TRIALS_MAX]; /* it worked as it is for older kernels */
	bool no_types;	      /* a file with other ones was given */
};

static bool works(const struct check *c)
{
	return c->chosen < TRIALS_MAX;
}

static enum finding_state missing(const struct check *c)
{
	return works(c) ? FINDING_LOST : FINDING_FAIL;
}

/* As the agent would choose: the first that works, of all or of the one that is asked for. */
static void try_backends(struct check *c)
{
	const char *asked = c->options->backend;
	struct kern_options o = *c->options;

	c->chosen = TRIALS_MAX;
	for (size_t i = 0; i < TRIALS_MAX && kern_backend_name(i); i++) {
		struct kern *k;

		o.backend = kern_backend_name(i);
		k = kern_new(&o, c->why[i], sizeof(c->why[i]));
		c->failed[i] = !k;
		c->old[i] = k && k->backend->old;
		kern_free(k);
		if (k && !works(c) && (!strcmp(asked, "auto") || !strcmp(asked, o.backend)))
			c->chosen = i;
	}
}

static void check_lockdown(const struct check *c)
{
	struct finding f = {.section = "kernel",
			    .name = "lockdown",
			    .state = FINDING_UNKNOWN,
			    .found = "securityfs is not mounted, or this kernel has no lockdown",
			    .gives = "reading the kernel's memory: hooks that are refused below",
			    .remedy = "boot with lockdown=integrity or none"};
	char mode[32];

	if (kern_lockdown(mode, sizeof(mode))) {
		f.found = mode;
		f.state = strcmp(mode, "confidentiality") ? FINDING_OK : missing(c);
	}
	if (f.state == FINDING_OK || f.state == FINDING_UNKNOWN)
		f.gives = f.remedy = NULL;
	report_add(c->report, &f);
}

static void check_types(struct check *c)
{
	const char *file = c->options->btf;
	struct finding f = {.section = "kernel",
			    .name = "types",
			    .found = file ? file : KERNEL_BTF,
			    .remedy = "boot a kernel built with CONFIG_DEBUG_INFO_BTF"};
	char said[512];
	int err = 0;

	if (file)
		err = kern_types_try(file, said, sizeof(said));
	c->no_types = err;
	if (!err && access(KERNEL_BTF, R_OK)) {
		err = works(c) ? 0 : errno;
		snprintf(said, sizeof(said), "%s%s" KERNEL_BTF ": %s", file ? file : "",
			 file ? ", but none of the kernel's own: " : "", strerror(errno));
		f.found = said;
	}
	if (err) {
		f.state = missing(c);
		f.found = said;
		f.gives = "offsets in the kernel's data, and typed hooks: all of them";
	}
	if (c->no_types)
		f.remedy = NULL; /* the finding has it */
	report_add(c->report, &f);
}

static void check_kernel(struct check *c)
{
	struct utsname kernel = {0};

	uname(&kernel);
	report_add(
		c->report,
		&(struct finding){.section = "kernel", .name = "release", .found = kernel.release});
	report_add(c->report, &(struct finding){.section = "kernel",
						.name = "architecture",
						.found = kernel.machine});
	check_types(c);
	check_lockdown(c);
}

/* Before 5.11 memory of tables counts as locked, and is bounded unless the bound may be raised. */
static void check_memory(struct check *c)
{
	bool bounded = c->memlock != RLIM_INFINITY;
	struct finding f = {.section = "limit",
			    .name = "memlock",
			    .found = "none: memory of programs and tables counts for the cgroup",
			    .remedy = "give CAP_SYS_RESOURCE, or raise it (ulimit -l unlimited)"};
	int err = kern_memory_counted();
	char said[128];

	if (err == -ENOENT) {
		c->needs.memory =
			!works(c) && bounded && !rights_held(&c->rights, CAP_SYS_RESOURCE);
		snprintf(said, sizeof(said), "%llu bytes, %s", (unsigned long long)c->memlock,
			 c->needs.memory ? "and may not be raised" : "which the agent raises");
		f.found = bounded ? said : "unlimited";
		f.state = c->needs.memory ? FINDING_FAIL : FINDING_OK;
		f.gives = "memory of programs and tables, which this kernel counts as locked";
	} else if (err) {
		f.state = FINDING_UNKNOWN;
		f.found = "not asked without rights";
	}
	report_add(c->report, &f);
}

static const char *works_how(const struct check *c, size_t i)
{
	if (i != c->chosen)
		return "works too";
	return c->old[i] ? "chosen, as it is for older kernels" : "chosen";
}

static void check_backends(const struct check *c)
{
	for (size_t i = 0; i < TRIALS_MAX && kern_backend_name(i); i++)
		report_add(c->report,
			   &(struct finding){.section = "backend",
					     .name = kern_backend_name(i),
					     .state = c->failed[i] ? missing(c) : FINDING_OK,
					     .found = c->failed[i] ? c->why[i] : works_how(c, i)});
}

/* The one that works, or the best. */
static const struct backend *chosen_backend(const struct check *c)
{
	const struct backend *b = kern_backend_at(works(c) ? c->chosen : 0);

	return works(c) && c->old[c->chosen] ? b->older : b;
}

static void check_hook(const struct check *c, const char *program, const char *gives)
{
	const struct backend *chosen = chosen_backend(c);
	const struct backend *b =
		kern_wants(chosen, c->options, program, 0) ? chosen : kern_backend_of(program);
	struct finding f = {.section = "hook", .name = program, .gives = gives};
	char said[128];
	int err;

	if (c->no_types) {
		f.state = FINDING_UNKNOWN;
		f.found = "not tried with such types";
		report_add(c->report, &f);
		return;
	}
	err = kern_hook_try(b ? b : chosen, c->options, program);
	if (err) {
		f.state = kern_program_optional(program) ? FINDING_LOST : missing(c);
		f.found = kern_refusal(err, said, sizeof(said));
	}
	report_add(c->report, &f);
}

static void check_hooks(const struct check *c)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		check_hook(c, hooks[i].program, hooks[i].gives);
}

/* Whether bpf() itself is refused; with all rights held, something else forbids it. */
static bool call_refused(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

void kern_check(const struct kern_options *o, bool environs, struct report *report,
		struct kern_verdict *verdict)
{
	struct check c = {.options = o, .report = report};
	struct rlimit memlock = {0};
	char missing_rights[64];

	getrlimit(RLIMIT_MEMLOCK, &memlock);
	c.memlock = memlock.rlim_cur;
	rights_read(&c.rights);
	rights_missing(&c.rights, missing_rights, sizeof(missing_rights));
	try_backends(&c);
	c.needs.programs = !works(&c);
	c.needs.environs = !environs;
	c.needs.call = !works(&c) && !*missing_rights && call_refused();
	check_kernel(&c);
	check_memory(&c);
	rights_report(&c.rights, &c.needs, report);
	check_features(c.needs.call || (c.needs.programs && *missing_rights), report);
	check_backends(&c);
	check_hooks(&c);
	verdict->backend = works(&c) ? kern_backend_name(c.chosen) : NULL;
	if (!verdict->backend) /* in the agent's own words */
		kern_free(kern_new(o, verdict->why, sizeof(verdict->why)));
}
