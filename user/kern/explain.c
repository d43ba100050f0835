/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why loading failed, in one line that says what, because of what, and what to do. libbpf speaks in
 * many lines; they go to the debug log. Each known reason has its row of words here; what fits none
 * is given with its errno and the way to see more.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "kern/object.h"
#include "kern/rights.h"

#define LOCKDOWN "/sys/kernel/security/lockdown"
#define ENOTSUPP 524 /* the kernel's own, in no header for us: arm64 before 6.4 on fexit */

/* The verifier's log is one message of many lines; the last ones say why it refused. */
int kern_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *line, *rest;

	(void)level;
	if (vasprintf(&text, format, args) < 0)
		return 0;
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			log_debug("sonde.kern", "%s", line);
	free(text);
	return 0;
}

/* The kernel writes all modes, the one in force in brackets. */
bool kern_lockdown(char *mode, size_t size)
{
	char text[128];
	struct str rest;
	FILE *f = fopen(LOCKDOWN, "re");
	size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

	if (f)
		fclose(f);
	rest = (struct str){text, n};
	str_cut(&rest, '[');
	return str_copy(mode, size, str_cut(&rest, ']')) > 0;
}

static bool lockdown_confidential(void)
{
	char mode[32];

	return kern_lockdown(mode, sizeof(mode)) && !strcmp(mode, "confidentiality");
}

/* Where the main one is missing, the kernel is too old, whatever the verifier said first. */
static bool has_tracepoint(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

/* Before 5.11, and libbpf could not raise the limit. */
static bool memory_bounded(const struct rights *rights)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	       !rights_held(rights, CAP_SYS_RESOURCE) && kern_memory_counted() == -ENOENT;
}

static bool hook_missing(int err)
{
	return err == -ESRCH || err == -ENOENT || err == -ENOTSUPP;
}

const char *kern_refusal(int err, char *said, size_t size)
{
	if ((err == -ESRCH || err == -ENOENT || err == -ENODATA) && access(KERNEL_BTF, R_OK))
		return "not known: the kernel shows no types of its own";
	if (lockdown_confidential() && (err == -EINVAL || err == -ENOENT))
		return "refused by lockdown=confidentiality";
	if (hook_missing(err))
		return "this kernel does not have it";
	libbpf_strerror(err, said, size);
	return said;
}

static void no_types(const char *btf, const char *release, char *why, size_t why_size)
{
	if (btf)
		snprintf(why, why_size,
			 "kernel %s shows no types of its own at " KERNEL_BTF
			 ", without which it takes no typed hooks, whatever --btf has: boot one "
			 "built with CONFIG_DEBUG_INFO_BTF",
			 release);
	else
		snprintf(why, why_size,
			 "kernel %s has no type information at " KERNEL_BTF
			 ": mount sysfs, or boot a kernel built with CONFIG_DEBUG_INFO_BTF",
			 release);
}

void kern_explain(int err, const char *btf, char *why, size_t why_size)
{
	struct utsname kernel = {0};
	struct rights rights;
	char missing[64];

	uname(&kernel);
	rights_read(&rights);
	rights_missing(&rights, missing, sizeof(missing));
	if (*missing && (err == -EPERM || err == -EACCES))
		snprintf(
			why, why_size,
			"%s %s missing, so the kernel refuses the programs (%s): run as root, give "
			"the container %s, or privileged: true",
			missing, strchr(missing, ' ') ? "are" : "is", strerror(-err), missing);
	else if (access(KERNEL_BTF, R_OK) && !has_tracepoint("sched_process_exit"))
		no_types(btf, kernel.release, why, why_size);
	else if (lockdown_confidential()) /* the verifier then says EINVAL: helpers are gone */
		snprintf(why, why_size,
			 "kernel lockdown is in confidentiality mode, which forbids programs to "
			 "read the kernel's memory (bpf_probe_read_kernel): boot with "
			 "lockdown=integrity or none");
	else if (err == -EPERM && !rights.first_users) /* EACCES is the verifier's word */
		snprintf(why, why_size,
			 "the kernel refused to load programs (%s), since this is a user namespace "
			 "of its own: start the agent outside of it",
			 strerror(-err));
	else if (err == -EPERM && memory_bounded(&rights))
		snprintf(why, why_size,
			 "the kernel refused to load programs (%s): it counts their memory as "
			 "locked, and CAP_SYS_RESOURCE is missing to raise that limit: give it, or "
			 "raise the limit before (ulimit -l unlimited)",
			 strerror(-err));
	else if (err == -EPERM)
		snprintf(why, why_size,
			 "the kernel refused to load programs (%s) though the rights are held: %s",
			 strerror(-err),
			 rights.filtered ? "allow bpf() in the seccomp profile"
					 : "a security module forbids it, ask its log");
	else if (hook_missing(err))
		snprintf(why, why_size,
			 "kernel %s lacks a hook that the backend needs: try --backend=auto; sonde "
			 "check says which",
			 kernel.release);
	else
		snprintf(why, why_size,
			 "cannot load the programs into kernel %s%s%s (%s): see why with "
			 "--log-level=debug",
			 kernel.release, btf ? " with the types of --btf=" : "", btf ? btf : "",
			 strerror(-err));
}
