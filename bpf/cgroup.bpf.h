/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which cgroup a task is in, as a number that says it also when the task is gone. Under cgroup v1
 * and in hybrid mode a container has a cgroup in the hierarchy of every controller, and that of
 * pids speaks for all. Where pids belongs to the unified hierarchy, or has nothing below its root,
 * the cgroup is that of the unified one.
 */
#ifndef SONDE_CGROUP_BPF_H
#define SONDE_CGROUP_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>

enum cgroup_subsys_id { pids_cgrp_id };
enum bpf_func_id___cgroup { BPF_FUNC_get_current_task_btf___cgroup = 158 };

static __always_inline bool cgroup_task_is_typed(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___cgroup,
					  BPF_FUNC_get_current_task_btf___cgroup);
}

static __always_inline __u64 cgroup_number(const struct cgroup *group)
{
	return (__u64)group->root->hierarchy_id << EVENT_HIERARCHY_SHIFT | group->kn->id;
}

/* NULL: a kernel without it. */
static __always_inline struct cgroup *cgroup_of_pids(const struct task_struct *task)
{
	struct cgroup_subsys_state *const *states = task->cgroups->subsys;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return NULL;
	return states[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)]->cgroup;
}

static __always_inline struct cgroup *cgroup_of(const struct task_struct *task)
{
	struct cgroup *group = cgroup_of_pids(task);

	if (group && group->root->hierarchy_id && group->level)
		return group;
	return task->cgroups->dfl_cgrp;
}

/* The typed task, whose members cost next to nothing; kernels before 5.11 know the unified one. */
static __always_inline __u64 cgroup_current(void)
{
	if (!cgroup_task_is_typed())
		return bpf_get_current_cgroup_id();
	return cgroup_number(cgroup_of(bpf_get_current_task_btf()));
}

#endif
