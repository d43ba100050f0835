/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What option values mean: one function a kind of value, named by the option's row. The invariant:
 * a function either sets its member and returns 0, or leaves it alone and returns -EINVAL; it never
 * speaks, since only the source of the value knows where it stood.
 *
 * Refused: signs, fractions, blanks, numbers without the unit that they need, anything behind a
 * value.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "option.h"
#include "out/listen.h"

#define SERVICES_MAX 256

struct unit {
	struct str name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{{"", 0}, 1},
	{{"KiB", 3}, 1ULL << 10},
	{{"MiB", 3}, 1ULL << 20},
	{{"GiB", 3}, 1ULL << 30},
	{{NULL, 0}, 0},
};

static const struct unit duration_units[] = {
	{{"us", 2}, NS_PER_US},
	{{"ms", 2}, NS_PER_MS},
	{{"s", 1}, NS_PER_SECOND},
	{{"m", 1}, 60 * NS_PER_SECOND},
	{{"h", 1}, 3600 * NS_PER_SECOND},
	{{"d", 1}, 86400 * NS_PER_SECOND},
	{{NULL, 0}, 0},
};

static const char *const details[] = {
	[DETAIL_FULL] = "full", [DETAIL_ERRORS] = "errors", [DETAIL_METRICS] = "metrics"};
static const char *const kube_sources[] = {
	[KUBE_OFF] = "off", [KUBE_FILES] = "files", [KUBE_API] = "api"};
static const char *const backends[] = {"auto", "sock", "fexit", "syscall"};

static void *member_of(struct options *o, const struct option_row *row)
{
	return (char *)o + row->offset;
}

/* Takes the bytes before the first one for which the class differs from `digits`. */
static struct str take_run(struct str *s, bool digits)
{
	size_t n = 0;

	while (n < s->n && (s->p[n] >= '0' && s->p[n] <= '9') == digits)
		n++;
	s->n -= n;
	s->p += n;
	return (struct str){s->p - n, n};
}

/* Takes a number and its unit from *s. */
static bool take_quantity(struct str *s, const struct unit *units, uint64_t *value)
{
	uint64_t number = 0;
	bool is_number = str_to_u64(take_run(s, true), &number);
	struct str name = take_run(s, false);

	for (; is_number && units->factor; units++)
		if (str_eq(name, units->name))
			return !__builtin_mul_overflow(number, units->factor, value);
	return false;
}

int set_text(struct options *o, const struct option_row *row, const char *value)
{
	if (!*value)
		return -EINVAL;
	*(const char **)member_of(o, row) = value;
	return 0;
}

/* Only the form; whether the address is one of this machine shows when it is used. */
int set_listen(struct options *o, const struct option_row *row, const char *value)
{
	return listen_is_address(value) ? set_text(o, row, value) : -EINVAL;
}

/* The number of a word in its list. */
static int word_number(const char *const *words, size_t count, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(value, words[i]))
			return (int)i;
	return -EINVAL;
}

int set_backend(struct options *o, const struct option_row *row, const char *value)
{
	int i = word_number(backends, sizeof(backends) / sizeof(*backends), value);

	(void)row;
	if (i >= 0)
		o->backend = backends[i];
	return i < 0 ? i : 0;
}

int set_detail(struct options *o, const struct option_row *row, const char *value)
{
	int i = word_number(details, sizeof(details) / sizeof(*details), value);

	(void)row;
	if (i >= 0)
		o->detail = (uint32_t)i;
	return i < 0 ? i : 0;
}

int set_kube(struct options *o, const struct option_row *row, const char *value)
{
	int i = word_number(kube_sources, sizeof(kube_sources) / sizeof(*kube_sources), value);

	(void)row;
	if (i >= 0)
		o->kube = (enum kube_source)i;
	return i < 0 ? i : 0;
}

/* A decimal from 0 to 1, in millionths. */
int set_share(struct options *o, const struct option_row *row, const char *value)
{
	struct str rest = str_of(value), whole = str_cut(&rest, '.');
	uint64_t millionths = 0, part = 0;

	if (!str_to_u64(whole, &millionths) || millionths > 1 || (rest.p && !rest.n) ||
	    rest.n > 6 || (rest.n && !str_to_u64(rest, &part)))
		return -EINVAL;
	for (size_t digits = rest.n; digits < 6; digits++)
		part *= 10;
	millionths = millionths * 1000000 + part;
	if (millionths > 1000000)
		return -EINVAL;
	*(uint32_t *)member_of(o, row) = (uint32_t)millionths;
	return 0;
}

int set_log_level(struct options *o, const struct option_row *row, const char *value)
{
	(void)row;
	return log_level_parse(value, &o->log_level);
}

static int set_bounded(struct options *o, const struct option_row *row, uint64_t value)
{
	if (value < row->least || value > row->most)
		return -EINVAL;
	*(uint32_t *)member_of(o, row) = (uint32_t)value;
	return 0;
}

int set_number(struct options *o, const struct option_row *row, const char *value)
{
	uint64_t number = 0;

	return str_to_u64(str_of(value), &number) ? set_bounded(o, row, number) : -EINVAL;
}

/* A ring buffer's size: the kernel wants a power of two. */
int set_size(struct options *o, const struct option_row *row, const char *value)
{
	struct str s = str_of(value);
	uint64_t bytes = 0;

	if (!take_quantity(&s, size_units, &bytes) || s.n || (bytes & (bytes - 1)))
		return -EINVAL;
	return set_bounded(o, row, bytes);
}

int set_duration(struct options *o, const struct option_row *row, const char *value)
{
	struct str s = str_of(value);
	uint64_t sum = 0, part = 0;

	if (s.n == 0)
		return -EINVAL;
	if (str_eq(s, STR("0")))
		s.n = 0;
	while (s.n)
		if (!take_quantity(&s, duration_units, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return -EINVAL;
	*(uint64_t *)member_of(o, row) = sum;
	return 0;
}

int set_flag(struct options *o, const struct option_row *row, const char *value)
{
	bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

	if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return -EINVAL;
	*(bool *)member_of(o, row) = yes;
	return 0;
}

static struct who_service_rule *service_slot(struct options *o, uint16_t port)
{
	struct who_service_rule *grown;

	for (unsigned i = 0; i < o->service_count; i++)
		if (o->services[i].port == port)
			return &o->services[i]; /* the last word on a port counts */
	if (o->service_count == SERVICES_MAX)
		return NULL;
	grown = reallocarray(o->services, o->service_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	o->services = grown;
	return &grown[o->service_count++];
}

int services_add(struct options *o, struct str port, struct str name)
{
	struct who_service_rule *slot;
	uint64_t number = 0;

	if (!str_to_u64(port, &number) || number < 1 || number > 65535 || name.n == 0)
		return -EINVAL;
	slot = service_slot(o, (uint16_t)number);
	if (!slot)
		return -ENOSPC;
	*slot = (struct who_service_rule){(uint16_t)number, name};
	return 0;
}

int set_services(struct options *o, const struct option_row *row, const char *value)
{
	struct str list = str_of(value);
	int err = list.n ? 0 : -EINVAL;

	(void)row;
	while (list.n && !err) {
		struct str name = str_cut(&list, ',');
		struct str port = str_cut(&name, '=');

		err = services_add(o, str_trim(port), str_trim(name));
	}
	return err;
}

int routes_add(struct options *o, struct str service, struct str pattern)
{
	struct route_rule *grown;

	if (!route_rule_valid(pattern))
		return -EINVAL;
	if (o->route_count == ROUTE_RULES_MAX)
		return -ENOSPC;
	grown = reallocarray(o->routes, o->route_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOSPC;
	o->routes = grown;
	grown[o->route_count++] = (struct route_rule){service, pattern};
	return 0;
}

int set_routes(struct options *o, const struct option_row *row, const char *value)
{
	struct str list = str_of(value);
	int err = list.n ? 0 : -EINVAL;

	(void)row;
	while (list.p && !err)
		err = routes_add(o, (struct str){NULL, 0}, str_trim(str_cut(&list, ',')));
	return err;
}

int set_help(struct options *o, const struct option_row *row, const char *value)
{
	(void)row;
	o->markdown = strcmp(value, "markdown") == 0;
	if (!o->markdown && strcmp(value, "true") != 0)
		return -EINVAL;
	o->command = COMMAND_HELP;
	return 0;
}

int set_version(struct options *o, const struct option_row *row, const char *value)
{
	(void)row;
	if (strcmp(value, "true") != 0)
		return -EINVAL;
	o->command = COMMAND_VERSION;
	return 0;
}
