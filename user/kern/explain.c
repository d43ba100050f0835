/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why loading failed, in one line that says what, because of what, and what to do. libbpf speaks in
 * many lines; they go to the debug log. Each known reason has its row of words here; what fits none
 * is given with its errno and the way to see more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "kern/object.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define LOCKDOWN   "/sys/kernel/security/lockdown"

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

static bool lockdown_confidential(void)
{
	char text[128] = "";
	FILE *f = fopen(LOCKDOWN, "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strstr(text, "[confidentiality]");
}

/* Where the main one is missing, the kernel is too old, whatever the verifier said first. */
static bool has_tracepoint(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

void kern_explain(int err, const char *btf, char *why, size_t why_size)
{
	struct utsname kernel = {0};

	uname(&kernel);
	if (btf && access(btf, R_OK))
		snprintf(why, why_size, "--btf=%s: %s: give a readable BTF file of this kernel",
			 btf, strerror(errno));
	else if (geteuid() != 0 && (err == -EPERM || err == -EACCES))
		snprintf(why, why_size,
			 "loading programs into the kernel was refused (%s): run as root, or in a "
			 "privileged pod",
			 strerror(-err));
	else if (!btf && access(KERNEL_BTF, R_OK))
		snprintf(why, why_size,
			 "kernel %s has no type information at " KERNEL_BTF
			 ": boot one built with CONFIG_DEBUG_INFO_BTF, or give --btf=FILE",
			 kernel.release);
	else if (lockdown_confidential()) /* the verifier then says EINVAL: helpers are gone */
		snprintf(why, why_size,
			 "kernel lockdown is in confidentiality mode, which forbids tracing: boot "
			 "with lockdown=integrity or none");
	else if (err == -EPERM) /* EACCES is the verifier's word */
		snprintf(why, why_size,
			 "the kernel refused to load programs (%s): give the container "
			 "CAP_BPF and CAP_PERFMON, or privileged: true",
			 strerror(-err));
	else if (err == -ESRCH || err == -ENOENT || !has_tracepoint("sock_send_length"))
		snprintf(why, why_size,
			 "kernel %s lacks a tracepoint that backend sock needs (kernel 6.3 and "
			 "later "
			 "have them); sonde check says which",
			 kernel.release);
	else
		snprintf(why, why_size,
			 "cannot load the programs into kernel %s (%s): see why with "
			 "--log-level=debug",
			 kernel.release, strerror(-err));
}
