/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading procfs. The invariant: buffers are on the stack and of fixed size, descriptors are closed
 * where they were opened, and regular procfs files never block.
 *
 * An environment is scanned through a window, one variable at a time, because it may be longer than
 * any buffer that one would want. Refused are variables longer than the window (a name cut short
 * would be invented) and what stands behind the first 64 KiB.
 *
 * Python's multiprocessing starts its workers as `python3 -c ... --multiprocessing-fork`, which
 * names nobody; such a worker (of uvicorn, for one) takes its parent's name.
 */
#include "who/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "who/name.h"
#include "who/who.h"

#define CMDLINE_MAX    16384 /* the class path of a Java server takes several KiB */
#define STAT_MAX       1024
#define ENVIRON_WINDOW 4096
#define ENVIRON_MAX    65536

static int proc_open(const char *procfs, uint32_t pid, const char *file)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/%u/%s", procfs, pid, file);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static struct str proc_read(const char *procfs, uint32_t pid, const char *file, char *to,
			    size_t size)
{
	int fd = proc_open(procfs, pid, file);
	size_t held = 0;

	if (fd < 0) {
		errno = -fd;
		return (struct str){NULL, 0};
	}
	while (held < size) {
		ssize_t n = read(fd, to + held, size - held);

		if (n <= 0)
			break;
		held += (size_t)n;
	}
	close(fd);
	return (struct str){to, held};
}

/* Field 2 is the name in brackets and may hold anything, brackets too: count from its end. */
static int stat_parse(struct proc *p, struct str stat)
{
	const char *name_end = stat.n ? memrchr(stat.p, ')', stat.n) : NULL;
	struct str rest, state;
	uint64_t parent = 0;

	if (!name_end)
		return -ESRCH;
	rest = str_from(stat, (size_t)(name_end - stat.p) + 2);
	state = str_cut(&rest, ' ');
	p->zombie = str_eq(state, STR("Z")) || str_eq(state, STR("X"));
	if (!str_to_u64(str_cut(&rest, ' '), &parent))
		return -EINVAL;
	p->parent = (uint32_t)parent;
	for (int field = 5; field < 22; field++)
		str_cut(&rest, ' ');
	return str_to_u64(str_cut(&rest, ' '), &p->start) ? 0 : -EINVAL;
}

int proc_find(struct proc *p, const char *procfs, uint32_t pid)
{
	char bytes[STAT_MAX];
	struct str stat = proc_read(procfs, pid, "stat", bytes, sizeof(bytes));

	*p = (struct proc){.procfs = procfs, .pid = pid};
	return stat.p ? stat_parse(p, stat) : -errno;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In the form of W3C Baggage; a % that begins no code stands for itself. */
static size_t percent_decode(char *to, size_t size, struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < size; i++) {
		int high = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

		to[n] = s.p[i];
		if (low >= 0) {
			to[n] = (char)(high << 4 | low);
			i += 2;
		}
		n++;
	}
	return n;
}

static size_t resource_service(struct str attributes, char *name, size_t size)
{
	char decoded[NAME_SIZE];

	while (attributes.n) {
		struct str value = str_cut(&attributes, ',');
		struct str key = str_trim(str_cut(&value, '='));
		size_t n;

		if (!str_eq(key, STR("service.name")))
			continue;
		n = percent_decode(decoded, sizeof(decoded), str_trim(value));
		return name_copy(name, size, (struct str){decoded, n});
	}
	return 0;
}

/* The two answers, apart, since the stronger variable may come second. */
struct otel {
	char service[NAME_SIZE];
	char resource[NAME_SIZE];
};

static void otel_variable(struct otel *found, struct str variable)
{
	struct str key = str_cut(&variable, '=');

	if (str_eq(key, STR("OTEL_SERVICE_NAME")))
		name_copy(found->service, sizeof(found->service), str_trim(variable));
	else if (str_eq(key, STR("OTEL_RESOURCE_ATTRIBUTES")))
		resource_service(variable, found->resource, sizeof(found->resource));
}

struct window {
	char bytes[ENVIRON_WINDOW];
	size_t held;
	bool skipping; /* the rest of a variable that is longer than the window */
};

/* Takes whole variables from the window and moves the begun one to its front. */
static void window_drain(struct window *w, struct otel *found)
{
	struct str rest = {w->bytes, w->held};

	while (rest.n && memchr(rest.p, '\0', rest.n)) {
		struct str variable = str_cut(&rest, '\0');

		if (!w->skipping)
			otel_variable(found, variable);
		w->skipping = false;
	}
	if (rest.n == sizeof(w->bytes))
		w->skipping = true;
	w->held = w->skipping ? 0 : rest.n;
	if (w->held)
		memmove(w->bytes, rest.p, w->held);
}

static void environ_scan(int fd, struct otel *found)
{
	struct window w = {.held = 0};
	ssize_t n = 0;

	for (size_t total = 0; total < ENVIRON_MAX && !found->service[0]; total += (size_t)n) {
		n = read(fd, w.bytes + w.held, sizeof(w.bytes) - w.held);
		if (n <= 0)
			break;
		w.held += (size_t)n;
		window_drain(&w, found);
	}
	if (n == 0 && w.held && !w.skipping)
		otel_variable(found, (struct str){w.bytes, w.held});
}

size_t proc_otel_service(const struct proc *p, char *name, size_t size)
{
	struct otel found = {.service = ""};
	int fd = proc_open(p->procfs, p->pid, "environ");

	if (fd < 0)
		return 0;
	environ_scan(fd, &found);
	close(fd);
	return str_copy(name, size, str_of(found.service[0] ? found.service : found.resource));
}

struct str proc_text(const struct proc *p, const char *file, char *to, size_t size)
{
	if (!p)
		return (struct str){NULL, 0};
	return proc_read(p->procfs, p->pid, file, to, size);
}

struct str args_whole(struct str args, size_t room)
{
	const char *last = args.n >= room ? memrchr(args.p, '\0', args.n) : NULL;

	if (last)
		args.n = (size_t)(last - args.p) + 1;
	return args;
}

static bool args_have(struct str args, struct str wanted)
{
	while (args.n)
		if (str_eq(str_cut(&args, '\0'), wanted))
			return true;
	return false;
}

size_t proc_program(const struct proc *p, char *name, size_t size)
{
	char bytes[CMDLINE_MAX];
	struct str args = proc_read(p->procfs, p->pid, "cmdline", bytes, sizeof(bytes));

	if (args_have(args, STR("--multiprocessing-fork")))
		args = proc_read(p->procfs, p->parent, "cmdline", bytes, sizeof(bytes));
	args = args_whole(args, sizeof(bytes));
	return who_program(args, name, size < PROGRAM_SIZE ? size : PROGRAM_SIZE);
}
