/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backends in order of preference, and the choice among them: the first that loads and attaches
 * is kept. Nothing here asks for a kernel version. Programs that only add detail are left out where
 * the kernel does not take them, which is asked, one by one, when not all of them hold. When all
 * backends fail, the reason given is that of the last, in words that say what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "kern/object.h"

#define PROGRAMS_SYSCALL                                                  \
	{                                                                 \
		"call_ended", "sweep_hashed_conns", "sweep_hashed_frames" \
	}

static const struct backend syscall_old = {
	.name = "syscall", .hashed = true, .programs = PROGRAMS_SYSCALL, .old = true};

static const struct backend backends[] = {
	{.name = "sock", .programs = {"sock_sent", "sock_received", "sweep_conns", "sweep_frames"}},
	{.name = "fexit",
	 .programs = {"tcp_sent", "tcp_received", "unix_sent", "unix_received", "tcp_sent_page",
		      "unix_sent_page", "sweep_conns", "sweep_frames"}},
	{.name = "syscall", .hashed = true, .programs = PROGRAMS_SYSCALL, .older = &syscall_old},
};

#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

static const char *const optional[] = {
	"sweep_frames",	      "sweep_conns",   "sweep_hashed_frames", "sweep_hashed_conns",
	"sock_retransmitted", "sock_readable", "uring_file",	      "uring_submit",
	"uring_wait",	      "tcp_sent_page", "unix_sent_page",      "cgroup_made",
	"cgroup_removed",     "sweep_cgroups",
};

#define OPTIONAL (sizeof(optional) / sizeof(optional[0]))

const struct backend *kern_backend_at(size_t i)
{
	return i < BACKENDS ? &backends[i] : NULL;
}

const char *kern_backend_name(size_t i)
{
	return i < BACKENDS ? backends[i].name : NULL;
}

static int optional_number(const char *program)
{
	for (size_t i = 0; i < OPTIONAL; i++)
		if (!strcmp(program, optional[i]))
			return (int)i;
	return -1;
}

bool kern_program_optional(const char *program)
{
	return optional_number(program) >= 0;
}

static bool has(const struct backend *b, const char *program)
{
	for (size_t i = 0; i < BACKEND_PROGRAMS && b->programs[i]; i++)
		if (!strcmp(program, b->programs[i]))
			return true;
	return false;
}

static bool belongs_to_others(const struct backend *mine, const char *program)
{
	bool others = false;

	for (size_t i = 0; i < BACKENDS; i++)
		others |= has(&backends[i], program);
	return others && !has(mine, program);
}

bool kern_wants(const struct backend *b, const struct kern_options *o, const char *program,
		unsigned without)
{
	int number = optional_number(program);

	return !belongs_to_others(b, program) && !(number >= 0 && without >> number & 1) &&
	       (o->queue_time || strcmp(program, "sock_readable") != 0);
}

const struct backend *kern_backend_of(const char *program)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (has(&backends[i], program))
			return &backends[i];
	return NULL;
}

int kern_hook_try(const struct backend *b, const struct kern_options *o, const char *name)
{
	struct sonde *skel = kern_open(b, o);
	struct bpf_program *prog;
	struct bpf_link *link;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
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

/* The optional programs that this kernel does not take, a bit each. */
static unsigned refused(const struct backend *b, const struct kern_options *o)
{
	unsigned without = 0;

	for (size_t i = 0; i < OPTIONAL; i++)
		if (kern_wants(b, o, optional[i], 0) && kern_hook_try(b, o, optional[i]))
			without |= 1U << i;
	return without;
}

static void said(struct kern *k, const struct backend *b, int err)
{
	size_t n = strlen(k->refused);
	char reason[128];

	snprintf(k->refused + n, sizeof(k->refused) - n, "%s%s%s: %s", n ? "; " : "", b->name,
		 b->old ? " for older kernels" : "", kern_refusal(err, reason, sizeof(reason)));
}

static int try_form(struct kern *k, const struct backend *b, const struct kern_options *o)
{
	int err = kern_try(k, b, o, 0);
	unsigned without;

	if (!err)
		return 0;
	without = refused(b, o);
	if (without)
		err = kern_try(k, b, o, without);
	if (err)
		said(k, b, err);
	return err;
}

static int try_backend(struct kern *k, const struct backend *b, const struct kern_options *o)
{
	int err = try_form(k, b, o);

	return err && b->older ? try_form(k, b->older, o) : err;
}

struct kern *kern_new(const struct kern_options *o, char *why, size_t why_size)
{
	struct kern *k = calloc(1, sizeof(*k));
	bool known = false;
	int err = -ENOENT;

	if (!k) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	libbpf_set_print(kern_print);
	if (o->btf && kern_types_try(o->btf, why, why_size)) {
		free(k);
		return NULL;
	}
	for (size_t i = 0; i < BACKENDS && err; i++) {
		if (strcmp(o->backend, "auto") != 0 && strcmp(o->backend, backends[i].name) != 0)
			continue;
		known = true;
		err = try_backend(k, &backends[i], o);
	}
	if (!err) {
		if (o->stats)
			k->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		return k;
	}
	if (known)
		kern_explain(err, o->btf, why, why_size);
	else
		snprintf(why, why_size, "backend %s is not in this build: use --backend=auto",
			 o->backend);
	free(k);
	return NULL;
}
