// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The paths of cgroups, by their numbers: told when a cgroup is made, which is before any process
 * is in it, and for those that are older, by a look at all processes. So user space knows the
 * container of a process that was gone before anyone could look at it in procfs. The paths begin at
 * the hierarchy's root, whatever cgroup namespace the agent is in.
 *
 * Optional: without these programs short-lived processes are named as procfs knows them.
 */
#include "cgroup.bpf.h"
#include "emit.bpf.h"
#include <bpf/bpf_tracing.h>

#define DEPTH_MAX 16
#define NAME_MAX  256

/* The parent was renamed in Linux 6.15. */
struct kernfs_node___old {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

struct kernfs_node___new {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

static __always_inline const struct kernfs_node *node_parent(const struct kernfs_node *node)
{
	if (bpf_core_field_exists(((struct kernfs_node___new *)0)->__parent))
		return ((const struct kernfs_node___new *)node)->__parent;
	return ((const struct kernfs_node___old *)node)->parent;
}

/* Is it in a hierarchy that cgroup_of() answers with? */
static __always_inline bool cgroup_is_told(const struct cgroup *group)
{
	const struct cgroup *pids;

	if (!group->root->hierarchy_id)
		return true;
	if (!cgroup_task_is_typed())
		return false;
	pids = cgroup_of_pids(bpf_get_current_task_btf());
	return pids && pids->root->hierarchy_id == group->root->hierarchy_id;
}

static __always_inline int cgroup_tell(const struct cgroup *group, const char *path, bool gone)
{
	struct event_cgroup *e;
	__u64 now;
	long n;

	if (!cgroup_is_told(group))
		return 0;
	e = emit_reserve(sizeof(*e) + EVENT_PATH_MAX);
	if (!e)
		return 0;
	now = bpf_ktime_get_ns();
	emit_head(&e->head, EVENT_CGROUP, now);
	e->cgroup = cgroup_number(group);
	e->gone = gone;
	n = bpf_probe_read_kernel_str(e->path, EVENT_PATH_MAX, path);
	e->captured = n > 0 ? n - 1 : 0;
	emit_submit(e, now, emit_used());
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *group, const char *path)
{
	return cgroup_tell(group, path, false);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *group, const char *path)
{
	return cgroup_tell(group, path, true);
}

/* Not on the stack: there is little of it. One reader at a time. */
static __u64 row[(sizeof(struct event_cgroup) + EVENT_PATH_MAX + NAME_MAX) / sizeof(__u64)];

/* The names from the cgroup up to the root, each behind a '/'. A path that is too long is cut. */
static __always_inline __u32 path_read(char *path, const struct kernfs_node *node)
{
	__u64 at = 0;
	long n;

	for (int depth = 0; depth < DEPTH_MAX && node; depth++) {
		/* of a compared copy the verifier of 6.1 learns nothing */
		asm volatile("" : "+r"(at));
		if (at >= EVENT_PATH_MAX - 1)
			break;
		path[at] = '/';
		n = bpf_probe_read_kernel_str(path + at + 1, NAME_MAX, node->name);
		if (n > 0 && n <= NAME_MAX)
			at += n;
		node = node_parent(node);
	}
	return at < EVENT_PATH_MAX ? at : EVENT_PATH_MAX;
}

/* A row for each process: that of its cgroup. */
SEC("iter/task")
int sweep_cgroups(struct bpf_iter__task *ctx)
{
	struct event_cgroup *e = (void *)row;
	struct task_struct *task = ctx->task;
	const struct cgroup *group;

	if (!task || task->pid != task->tgid || !task->mm)
		return 0;
	group = cgroup_of(task);
	e->head.kind = EVENT_CGROUP;
	e->cgroup = cgroup_number(group);
	e->captured = path_read(e->path, group->kn);
	bpf_seq_write(ctx->meta->seq, e, sizeof(*e) + EVENT_PATH_MAX);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
