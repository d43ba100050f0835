// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Processes: what they became and that they ended. The command line is taken along, because a curl
 * is gone before anyone in user space can look at /proc. A thread's end is not a process's: only
 * the last one counts.
 */
#include "cgroup.bpf.h"
#include "emit.bpf.h"
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	struct event_exec *e = emit_reserve(sizeof(*e) + EVENT_ARGS_MAX);
	__u64 now = bpf_ktime_get_ns(), from, n;

	if (!e)
		return 0;
	emit_head(&e->head, EVENT_EXEC, now);
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->comm);
	e->cgroup = cgroup_number(cgroup_of(task));
	from = task->mm->arg_start;
	n = task->mm->arg_end - from;
	if (n > EVENT_ARGS_MAX)
		n = EVENT_ARGS_MAX;
	if (bpf_probe_read_user(e->args, n, (void *)from))
		n = 0;
	e->captured = n;
	emit_submit(e, now, emit_used());
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct event_exit *e;
	__u64 now;

	if (task->signal->live.counter)
		return 0;
	e = emit_reserve(sizeof(*e));
	if (!e)
		return 0;
	now = bpf_ktime_get_ns();
	emit_head(&e->head, EVENT_EXIT, now);
	emit_submit(e, now, emit_used());
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
