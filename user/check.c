/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde check`: the rows about the kernel come from kern/, those about the machine around it from
 * here: the listening address, what /proc shows, where names of pods come from. None of the latter
 * keeps the main job from working: the address may be taken by an agent that runs already.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "check.h"
#include "kern/kern.h"
#include "kern/rights.h"
#include "out/listen.h"
#include "pipeline.h"

#define PROCESSES_MAX 65536 /* that are looked at */

struct environs {
	unsigned seen, refused;
};

static void environ_try(struct environs *e, const char *pid)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno != EACCES && errno != EPERM) /* it has ended */
		return;
	e->seen++;
	e->refused += fd < 0;
}

static struct environs environs_try(void)
{
	struct environs e = {0};
	DIR *proc = opendir("/proc");

	for (struct dirent *d; proc && e.seen < PROCESSES_MAX && (d = readdir(proc));)
		if (isdigit((unsigned char)d->d_name[0]))
			environ_try(&e, d->d_name);
	if (proc)
		closedir(proc);
	return e;
}

static void host_row(struct report *r, const char *name, bool ok, const char *found,
		     const char *gives, const char *remedy)
{
	report_add(r, &(struct finding){.section = "host",
					.name = name,
					.state = ok ? FINDING_OK : FINDING_LOST,
					.found = found,
					.gives = ok ? NULL : gives,
					.remedy = remedy});
}

static void check_processes(struct report *r, const struct environs *e)
{
	struct rights rights;
	char said[96];
	bool held;

	rights_read(&rights);
	host_row(r, "processes", rights.first_pids,
		 rights.first_pids ? "those of the host" : "those of this container only",
		 "names of processes that ran before the agent", "set hostPID: true");
	held = rights_held(&rights, CAP_DAC_READ_SEARCH) && rights_held(&rights, CAP_SYS_PTRACE);
	snprintf(said, sizeof(said), "of %u processes, %u cannot be read", e->seen, e->refused);
	host_row(r, "environments", !e->refused || held, said,
		 "names of services that stand in OTEL_SERVICE_NAME",
		 "give CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE");
}

static void check_listen(struct report *r, const char *listen)
{
	char said[512];
	int fd = listen_open(listen, said, sizeof(said));

	if (fd >= 0) {
		close(fd);
		snprintf(said, sizeof(said), "%s is free", listen);
	}
	host_row(r, "listen", fd >= 0, said, "the endpoint, unless another agent has it", NULL);
}

static void check_kube(struct report *r, const struct options *o)
{
	char path[512], said[600];
	int err;

	if (o->kube == KUBE_OFF) {
		host_row(r, "kube", true, "off", NULL, NULL);
		return;
	}
	snprintf(path, sizeof(path), "%s/pods", o->kube_logs);
	err = access(path, R_OK | X_OK) ? errno : 0;
	snprintf(said, sizeof(said), "files: %s%s%s", path, err ? ": " : "",
		 err ? strerror(err) : "");
	host_row(r, "kube", !err, said, "names of pods and containers, if this is a node of theirs",
		 "mount the kubelet's folder, or name it by --kube-logs");
}

int check_run(const struct options *o)
{
	struct kern_options kern = pipeline_kern(o);
	struct report report = {.to = stdout, .json = o->json};
	struct environs environs = environs_try();
	struct kern_verdict verdict = {0};

	report_begin(&report, SONDE_VERSION);
	kern_check(&kern, !environs.refused, &report, &verdict);
	check_processes(&report, &environs);
	check_listen(&report, o->listen);
	check_kube(&report, o);
	report_end(&report, &(struct conclusion){.works = verdict.backend,
						 .backend = verdict.backend,
						 .why = verdict.why});
	return verdict.backend ? 0 : -EIO;
}
