/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel can, asked by trying: a map of a type is made, a program that calls one helper is
 * handed to the verifier. It refuses an unknown helper by name, a known one for its arguments,
 * which these programs do not set. Features are not what decides whether the main job works: hooks
 * and backends are tried for that. They say why one is refused, and what a kernel cannot give.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "kern/object.h"

#define LOG_SIZE 4096

enum question { MAP, RAW_HELPER, TRACING_HELPER, EXIT_HELPER, PLAIN_HELPER };

static const struct feature {
	const char *name;
	enum question question;
	unsigned id;
	const char *gives;
} features[] = {
	{"ring_buffer", MAP, BPF_MAP_TYPE_RINGBUF, "records of requests"},
	{"socket_storage", MAP, BPF_MAP_TYPE_SK_STORAGE, "state of connections, kept with sockets"},
	{"socket_storage_tracing", TRACING_HELPER, BPF_FUNC_sk_storage_get,
	 "the same from tracing programs: backend sock"},
	{"task_storage", MAP, BPF_MAP_TYPE_TASK_STORAGE, "requests through io_uring"},
	{"task_registers", TRACING_HELPER, BPF_FUNC_task_pt_regs,
	 "where the bytes are, in backends sock and fexit"},
	{"read_user", RAW_HELPER, BPF_FUNC_probe_read_user,
	 "bytes that processes send and receive (bpf_probe_read_user)"},
	{"read_kernel", RAW_HELPER, BPF_FUNC_probe_read_kernel,
	 "the kernel's own data: names of processes, sockets, buffers (bpf_probe_read_kernel)"},
	{"loops", RAW_HELPER, BPF_FUNC_loop, "more than 2,048 WebSocket frames of one call"},
	{"return_value", EXIT_HELPER, BPF_FUNC_get_func_ret, "backend fexit"},
};

/* A program of this kind hangs on: */
static const struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *target;
	__u32 kind;
} carriers[] = {
	[RAW_HELPER] = {BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NULL, 0},
	[TRACING_HELPER] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_sched_process_exit",
			    BTF_KIND_TYPEDEF},
	[EXIT_HELPER] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "tcp_sendmsg", BTF_KIND_FUNC},
	[PLAIN_HELPER] = {BPF_PROG_TYPE_SOCKET_FILTER, 0, NULL, 0},
};

/* 0, -ENOENT if the kernel does not have it for such a program, or -errno of what forbade asking.
 */
static int helper_try(enum question question, unsigned helper, const struct btf *btf)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = (__s32)helper},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char log[LOG_SIZE] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, o, .log_buf = log, .log_size = sizeof(log), .log_level = 1,
		    .expected_attach_type = carriers[question].attach);
	int id = 0, fd, err;

	if (carriers[question].target)
		id = btf ? btf__find_by_name_kind(btf, carriers[question].target,
						  carriers[question].kind)
			 : -ENODATA;
	if (id < 0)
		return id;
	o.attach_btf_id = (__u32)id;
	fd = bpf_prog_load(carriers[question].type, NULL, "GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), &o);
	err = fd < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (strstr(log, "unknown func") || strstr(log, "invalid func") ||
	    strstr(log, "cannot use helper"))
		return -ENOENT;
	return *log ? 0 : err;
}

static int feature_try(const struct feature *f, const struct btf *btf)
{
	if (f->question != MAP)
		return helper_try(f->question, f->id, btf);
	return libbpf_probe_bpf_map_type((enum bpf_map_type)f->id, NULL) == 1 ? 0 : -ENOENT;
}

int kern_memory_counted(void)
{
	/* of the same release, 5.11 */
	return helper_try(PLAIN_HELPER, BPF_FUNC_ktime_get_coarse_ns, NULL);
}

static void report_feature(const struct feature *f, const struct btf *btf, struct report *report)
{
	char said[128];
	int err = feature_try(f, btf);

	report_add(report,
		   &(struct finding){.section = "feature",
				     .name = f->name,
				     .state = err == -ENODATA ? FINDING_UNKNOWN
					      : err	      ? FINDING_LOST
							      : FINDING_OK,
				     .found = err ? kern_refusal(err, said, sizeof(said)) : NULL,
				     .gives = f->gives});
}

void check_features(bool refused, struct report *report)
{
	struct btf *btf = refused ? NULL : btf__load_vmlinux_btf();

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (refused)
			report_add(report, &(struct finding){.section = "feature",
							     .name = features[i].name,
							     .state = FINDING_UNKNOWN,
							     .found = "not asked without rights",
							     .gives = features[i].gives});
		else
			report_feature(&features[i], btf, report);
	btf__free(btf);
}
