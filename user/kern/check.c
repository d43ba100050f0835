/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde check`: would it work here, and if not, why? Each question is a row; each program is tried
 * by itself, loaded and attached for a moment, because only the kernel knows. Nothing is left
 * behind, and nothing is traced: the object is closed before anything is read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kern/knobs.h"
#include "kern/object.h"

static const struct {
	const char *program;
	const char *gives;
	bool needed;
} hooks[] = {
	{"sock_sent", "what processes send (kernel 6.3 and later)", true},
	{"sock_received", "what processes receive (kernel 6.3 and later)", true},
	{"sock_state", "opening of connections, and who closed them", true},
	{"sock_state_again", "the same, where the kernel skips the first", true},
	{"sock_destroyed", "ends of connections, aborted requests", true},
	{"sock_destroyed_again", "the same, where the kernel skips the first", true},
	{"process_exec", "names of processes that live shortly", true},
	{"process_exit", "forgetting processes that ended", true},
	{"sweep_conns", "forgetting connections whose end no hook tells", false},
	{"sweep_frames", "WebSocket connections that are open", false},
	{"sock_readable", "http_server_request_queue_seconds, with --queue-time", false},
	{"sock_retransmitted", "tcp_retransmits_total", false},
	{"uring_file", "requests through io_uring", false},
	{"uring_submit", "the same on registered files", false},
	{"uring_wait", "the same, where they wait for a registered file", false},
};

#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

static void finding(bool ok, const char *what, const char *said)
{
	printf("%-5s %-22s %s\n", ok ? "ok" : "FAIL", what, said);
}

static int hook_try(const char *name, const struct kern_options *o)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = o->btf);
	struct sonde *skel = sonde__open_opts(&open);
	struct bpf_program *prog;
	struct bpf_link *link;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	err = knobs_signatures((struct event_signature *)skel->rodata->signatures,
			       (__u8 *)skel->rodata->signature_of_byte);
	if (!err)
		err = sonde__load(skel);
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!err && !kern_program_sweeps(prog)) {
		link = bpf_program__attach(prog);
		err = link ? 0 : -errno;
		bpf_link__destroy(link);
	}
	sonde__destroy(skel);
	return err;
}

static const char *refusal(int err)
{
	return err == -ESRCH || err == -ENOENT ? "this kernel does not have it" : strerror(-err);
}

static int check_hooks(const struct kern_options *o)
{
	char said[256];
	int worst = 0;

	for (size_t i = 0; i < HOOKS; i++) {
		int err = hook_try(hooks[i].program, o);

		if (err)
			snprintf(said, sizeof(said), "%s; lost without it: %s", refusal(err),
				 hooks[i].gives);
		finding(!err, hooks[i].program, err ? said : hooks[i].gives);
		if (err && hooks[i].needed)
			worst = err;
	}
	return worst;
}

static void check_file(const char *what, const char *path, const char *without)
{
	char said[256];
	bool ok = !access(path, R_OK);

	snprintf(said, sizeof(said), "%s%s%s", path, ok ? "" : ": ", ok ? "" : without);
	finding(ok, what, said);
}

static void check_lockdown(void)
{
	char text[128] = "not known: securityfs is not mounted";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	if (f && fgets(text, sizeof(text), f))
		text[strcspn(text, "\n")] = '\0';
	if (f)
		fclose(f);
	finding(!strstr(text, "[confidentiality]"), "lockdown", text);
}

int kern_check(const struct kern_options *o)
{
	struct utsname kernel = {0};
	char why[512];
	int err;

	libbpf_set_print(kern_print);
	uname(&kernel);
	finding(true, "kernel", kernel.release);
	finding(true, "root",
		geteuid() ? "no: then CAP_BPF and CAP_PERFMON must be ambient" : "yes");
	check_file("types", o->btf ? o->btf : "/sys/kernel/btf/vmlinux",
		   "boot a kernel built with CONFIG_DEBUG_INFO_BTF, or give --btf=FILE");
	check_lockdown();
	check_file("processes", "/proc/1/cmdline", "host processes are not visible: set hostPID");
	err = check_hooks(o);
	if (err) {
		kern_explain(err, o->btf, why, sizeof(why));
		printf("sonde would not work here: %s\n", why);
	} else {
		printf("sonde works here, with backend sock\n");
	}
	return err;
}
