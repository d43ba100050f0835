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
#include "who/api.h"

#define PROCESSES_MAX 65536 /* that are looked at */
#define API_TURNS     100   /* of waiting for the API server */
#define API_TURN_US   50000

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

static void check_kube_folder(struct report *r, const char *logs)
{
	char path[512], said[600];
	int err;

	snprintf(path, sizeof(path), "%s/pods", logs);
	err = access(path, R_OK | X_OK) ? errno : 0;
	snprintf(said, sizeof(said), "files: %s%s%s", path, err ? ": " : "",
		 err ? strerror(err) : "");
	host_row(r, "kube", !err, said, "names of pods and containers, if this is a node of theirs",
		 "mount the kubelet's folder, or name it by --kube-logs");
}

/* NULL once all pods are known; else what is in the way, as far as that is told in time. */
static const char *api_trouble(const struct api *api)
{
	static const char *const troubles[FOLLOW_TROUBLES] = {
		[FOLLOW_CONNECTION] = "no answer",
		[FOLLOW_DENIED] = "the service account may not list and watch pods",
		[FOLLOW_STATUS] = "it answers with an error",
		[FOLLOW_INVALID] = "the answer is not that of a Kubernetes API",
	};
	const struct follow_stats *stats = api_stats(api);

	for (int turn = 0; turn < API_TURNS; turn++) {
		if (stats->up)
			return NULL;
		for (int i = 0; i < FOLLOW_TROUBLES; i++)
			if (stats->troubles[i] && troubles[i])
				return troubles[i];
		usleep(API_TURN_US);
	}
	return troubles[FOLLOW_CONNECTION];
}

static void check_kube_api(struct report *r, const struct options *o)
{
	char why[256];
	struct api *api = api_new(&(struct api_options){.account = o->kube_account,
							.node = o->node,
							.label = o->service_label,
							.quiet = true},
				  why, sizeof(why));
	const char *trouble = api ? api_trouble(api) : why;

	host_row(r, "kube_api", !trouble, trouble ? trouble : "it tells of this node's pods",
		 "names of pods by the API, and --service-label",
		 "see deploy/kubernetes/components/api");
	api_free(api);
}

static void check_kube(struct report *r, const struct options *o)
{
	if (o->kube == KUBE_OFF) {
		host_row(r, "kube", true, "off", NULL, NULL);
		return;
	}
	check_kube_folder(r, o->kube_logs);
	if (o->kube == KUBE_API)
		check_kube_api(r, o);
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
