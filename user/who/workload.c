/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which workload a pod belongs to, without asking the API: controllers name their pods by rule.
 *
 *   Deployment   NAME-HASH-RANDOM   HASH: 7 to 10 of "456789bcdf" (a decimal number, digit by
 * digit) CronJob      NAME-TIME-RANDOM   TIME: 8 digits, minutes since 1970, of the years 2019 to
 * 2046 DaemonSet, Job, ReplicaSet      NAME-RANDOM   RANDOM: 5 of "bcdfghjklmnpqrstvwxz2456789"
 *   StatefulSet  NAME-ORDINAL       a number of up to 5 digits
 *
 * The first row that fits counts, and where none does the pod's name is the workload's. What looks
 * like such an end is taken for one: a pod that somebody named web-1 or gateway-https by hand loses
 * it. The refusal: no other letters, no other lengths, nothing that would leave no name. Names of
 * 63 characters may be cut off in the middle of the hash, right before RANDOM.
 */
#include "who/workload.h"

#include <string.h>

#define RANDOM_SIZE    5
#define GENERATED_MAX  63
#define SCHEDULE_FIRST 26000000
#define SCHEDULE_LAST  39999999

/* The part behind the last '-', and *rest what stands before it; absent if one of them is empty. */
static struct str cut_last(struct str *rest)
{
	const char *dash = rest->n ? memrchr(rest->p, '-', rest->n) : NULL;
	struct str last;

	if (!dash || dash == rest->p)
		return (struct str){NULL, 0};
	last = str_from(*rest, (size_t)(dash - rest->p) + 1);
	if (last.n)
		rest->n = (size_t)(dash - rest->p);
	return last;
}

static bool is_of(struct str s, const char *alphabet, size_t least, size_t most)
{
	if (s.n < least || s.n > most)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(alphabet, s.p[i]) || !s.p[i])
			return false;
	return true;
}

static bool is_random(struct str s)
{
	return is_of(s, "bcdfghjklmnpqrstvwxz2456789", RANDOM_SIZE, RANDOM_SIZE);
}

static bool is_hash(struct str s, size_t least)
{
	return is_of(s, "456789bcdf", least, 10);
}

static bool is_schedule(struct str s)
{
	uint64_t minutes;

	return s.n == 8 && str_to_u64(s, &minutes) && minutes >= SCHEDULE_FIRST &&
	       minutes <= SCHEDULE_LAST;
}

static bool is_ordinal(struct str s)
{
	return s.n && (s.n == 1 || s.p[0] != '0') && is_of(s, "0123456789", 1, 5);
}

/* What the random end was put behind, without the end of a hash. */
static struct str cut_off_name(struct str pod)
{
	struct str rest = {pod.p, GENERATED_MAX - RANDOM_SIZE}, stem = rest;

	return is_hash(cut_last(&stem), 1) ? stem : rest;
}

struct str workload_name(struct str pod)
{
	struct str rest = pod, last = cut_last(&rest), stem = rest, middle;

	if (pod.n == GENERATED_MAX && last.n != RANDOM_SIZE &&
	    is_random(str_from(pod, GENERATED_MAX - RANDOM_SIZE)))
		return cut_off_name(pod);
	if (!is_random(last))
		return is_ordinal(last) ? rest : pod;
	middle = cut_last(&stem);
	return is_hash(middle, 7) || is_schedule(middle) ? stem : rest;
}

struct str workload_static(struct str pod, struct str node)
{
	size_t end = node.n + 1;

	if (!node.n || pod.n <= end || !str_has_suffix(pod, node) || pod.p[pod.n - end] != '-')
		return pod;
	return (struct str){pod.p, pod.n - end};
}

/* A Deployment's pods are its ReplicaSet's, a CronJob's those of the Job of one time. */
struct str workload_controlled(struct str kind, struct str name, struct str hash)
{
	struct str rest = name, last;

	if (str_eq(kind, STR("Job")))
		return is_schedule(cut_last(&rest)) ? rest : name;
	last = str_from(name, name.n > hash.n ? name.n - hash.n : 0);
	if (!str_eq(kind, STR("ReplicaSet")) || !hash.n || !str_eq(last, hash) ||
	    name.n < hash.n + 2 || last.p[-1] != '-')
		return name;
	return (struct str){name.p, name.n - hash.n - 1};
}
