// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Bytes that go through io_uring. No system call tells where they are, but the request does, which
 * tracepoints show before its bytes move: as it is about to be issued for the first time, and as it
 * is left waiting for its socket. The last one is kept, by socket and direction. Where a request's
 * socket is not known yet (registered files), by task.
 *
 * A request is believed only if the kernel's own iterator over its buffers has moved on by just
 * what the hit moved since the request was kept. Reads and writes move a copy of the iterator;
 * there the request must be the only one and nobody may wait for its socket any more. Of provided
 * buffers only that much is known which is moved. For these two the proof is as good as the
 * tracepoints are complete: a request made before the agent began could be taken for a later one.
 * All is read from the request as it is now, because its address may be stale.
 *
 * Backend `syscall` reads none of them: there, what is asked of a socket is counted as unseen.
 *
 * Refused: registered buffers (pages without an address), bundles (several provided buffers at
 * once), and kernels before 6.10, which keep the iterator on the stack.
 */
#include "conn.bpf.h"
#include <bpf/bpf_tracing.h>

#define FIXED_FILE    (1 << 0) /* of io_kiocb.flags, as of IOSQE_ */
#define BUFFER_SELECT (1 << 5)
#define WAIT_MARKS    3 /* low bits of a wait queue entry's pointer to its request */

/* 6.10 to 6.14; later ones have struct iou_vec instead. Both have the iterator with the request. */
struct io_async_msghdr___6_10 {
	int free_iov_nr;
} __attribute__((preserve_access_index));

struct uring_iter {
	__u64 type;
	__u64 at; /* ITER_UBUF: the address; ITER_IOVEC: that of the kernel's copy of the vector */
	__u64 offset;
	__u64 count;
	__u64 segments;
};

/* A request whose bytes may move next, and its iterator when it was looked at. */
struct uring_request {
	__u64 address; /* 0: none */
	struct uring_iter iter;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* uring_key() */
	__type(value, struct uring_request);
} uring_of_socket SEC(".maps");

struct uring_task {
	struct uring_request request[2]; /* by enum event_dir */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct uring_task);
} uring_of_task SEC(".maps");

/* Requests that move bytes of a socket: by its own calls, or as those of any file. */
enum uring_kind { URING_OTHER, URING_MESSAGE, URING_STREAM, URING_SPLICE };

static __always_inline enum uring_kind uring_kind(__u8 opcode)
{
	switch (opcode) {
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_SEND_ZC:
	case IORING_OP_SENDMSG_ZC:
		return URING_MESSAGE;
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return URING_STREAM;
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return URING_SPLICE;
	}
	return URING_OTHER;
}

static __always_inline enum event_dir uring_dir(__u8 opcode)
{
	switch (opcode) {
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
		return DIR_IN;
	}
	return DIR_OUT;
}

/* The direction stands below the socket's alignment. */
static __always_inline __u64 uring_key(__u64 sk, __u32 dir)
{
	return sk | (dir & 1);
}

static __always_inline void uring_iter(struct uring_iter *to, const struct iov_iter *from)
{
	to->type = BPF_CORE_READ(from, iter_type);
	to->at = (__u64)BPF_CORE_READ(from, ubuf);
	to->offset = BPF_CORE_READ(from, iov_offset);
	to->count = BPF_CORE_READ(from, count);
	to->segments = BPF_CORE_READ(from, nr_segs);
}

/* Where the request's iterator is now; false if it has none. */
static __always_inline bool uring_look(struct uring_iter *to, __u8 opcode, const void *data)
{
	const struct io_async_msghdr *message = data;
	const struct io_async_rw *stream = data;

	if (!data || !(bpf_core_type_exists(struct iou_vec) ||
		       bpf_core_field_exists(struct io_async_msghdr___6_10, free_iov_nr)))
		return false;
	if (uring_kind(opcode) == URING_MESSAGE)
		uring_iter(to, &message->msg.msg_iter);
	else
		uring_iter(to, &stream->iter);
	return true;
}

static __always_inline void uring_keep(struct uring_request *kept, const struct io_kiocb *request)
{
	kept->address = 0;
	if (uring_look(&kept->iter, request->opcode, request->async_data))
		kept->address = (__u64)request;
}

/* Is this a request for the socket and direction? */
static __always_inline bool uring_is_for(const struct uring_request *kept, __u64 sk, __u32 dir)
{
	const struct io_kiocb *request;

	if (!kept || !kept->address)
		return false;
	request = (const struct io_kiocb *)kept->address;
	return uring_dir(BPF_CORE_READ(request, opcode)) == dir &&
	       io_sk(BPF_CORE_READ(request, file)) == sk;
}

/* Does it still wait for its socket? What it waited with may be freed, and be somebody else's. */
static __always_inline bool uring_waits(const struct uring_request *kept)
{
	const struct io_kiocb *request = (const struct io_kiocb *)kept->address;
	const struct async_poll *poll = BPF_CORE_READ(request, apoll);
	__u64 owner = (__u64)BPF_CORE_READ(poll, poll.wait.private);

	return (owner & ~(__u64)WAIT_MARKS) == kept->address && BPF_CORE_READ(poll, poll.head);
}

static __always_inline void uring_keep_for(__u64 sk, const struct io_kiocb *request, __u64 flags)
{
	__u32 dir = uring_dir(request->opcode);
	__u64 key = uring_key(sk, dir);
	const struct uring_request *old;
	struct uring_request kept = {};

	uring_keep(&kept, request);
	old = bpf_map_lookup_elem(&uring_of_socket, &key);
	/* two at once: whose bytes will they be? */
	if (uring_kind(request->opcode) == URING_STREAM && old && old->address != (__u64)request &&
	    uring_is_for(old, sk, dir) && uring_waits(old))
		kept.address = 0;
	bpf_map_update_elem(&uring_of_socket, &key, &kept, flags);
}

static __always_inline void uring_forget(__u64 sk)
{
	__u64 in = uring_key(sk, DIR_IN), out = uring_key(sk, DIR_OUT);

	bpf_map_delete_elem(&uring_of_socket, &in);
	bpf_map_delete_elem(&uring_of_socket, &out);
}

/* Backend `syscall` does not see these bytes move, so it says that they will. */
static __always_inline int uring_unseen(enum uring_kind kind, __u64 sk)
{
	if (kind == URING_SPLICE || (sk && !sock_is_stream((const struct sock *)sk, state_hashed)))
		return 0;
	count(COUNT_IO_URING);
	life_add(bpf_get_current_pid_tgid() >> 32, LIFE_URING_UNREAD);
	return 0;
}

/* Just before a request is issued for the first time. Registered files are not got. */
SEC("tp_btf/io_uring_file_get")
int BPF_PROG(uring_file, struct io_kiocb *request, int fd)
{
	enum uring_kind kind = uring_kind(request->opcode);
	__u64 sk;

	if (kind == URING_OTHER)
		return 0;
	sk = io_sk_of(bpf_get_current_task_btf(), fd);
	if (state_hashed)
		return sk ? uring_unseen(kind, sk) : 0;
	if (kind == URING_SPLICE)
		uring_forget(sk);
	else if (sk)
		uring_keep_for(sk, request, BPF_ANY);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit, struct io_kiocb *request)
{
	enum uring_kind kind = uring_kind(request->opcode);
	struct uring_task *kept;

	if (!(request->flags & FIXED_FILE) || (kind != URING_MESSAGE && kind != URING_STREAM))
		return 0;
	if (state_hashed)
		return kind == URING_MESSAGE ? uring_unseen(kind, 0) : 0;
	kept = bpf_task_storage_get(&uring_of_task, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (kept)
		uring_keep(&kept->request[uring_dir(request->opcode) & 1], request);
	return 0;
}

SEC("tp_btf/io_uring_poll_arm")
int BPF_PROG(uring_wait, struct io_kiocb *request, int mask, int events)
{
	enum uring_kind kind = uring_kind(request->opcode);
	struct uring_task *kept;

	if (state_hashed || (kind != URING_MESSAGE && kind != URING_STREAM))
		return 0;
	/* a worker comes here late: a newer one may be kept, if their sockets are known at once */
	uring_keep_for(io_sk(request->file), request,
		       request->flags & FIXED_FILE ? BPF_ANY : BPF_NOEXIST);
	kept = bpf_task_storage_get(&uring_of_task, bpf_get_current_task_btf(), NULL, 0);
	if (kept)
		kept->request[uring_dir(request->opcode) & 1].address = 0;
	return 0;
}

/*
 * If this request may have moved these bytes, where its iterator was before and is now. Provided
 * buffers are put into the iterator for each receive, all others when the request is made.
 */
static __always_inline bool uring_moved(const struct uring_request *kept, const struct hit *hit,
					__u64 sk, struct uring_iter *before, struct uring_iter *now)
{
	const struct io_kiocb *request = (const struct io_kiocb *)kept->address;
	__u8 opcode;

	if (!uring_is_for(kept, sk, hit->dir))
		return false;
	opcode = BPF_CORE_READ(request, opcode);
	if (!uring_look(now, opcode, BPF_CORE_READ(request, async_data)))
		return false;
	*before = kept->iter;
	if (BPF_CORE_READ(request, flags) & BUFFER_SELECT) {
		*before = *now;
		before->offset = 0;
		before->count += hit->moved;
		return now->type == ITER_UBUF && now->offset == hit->moved;
	}
	if (now->type != before->type)
		return false;
	if (uring_kind(opcode) == URING_STREAM)
		return now->count == before->count && !uring_waits(kept);
	return before->count - now->count == hit->moved;
}

/* The vector of which the iterator is in the midst; the kernel has a copy of it. */
static __always_inline bool uring_vector(struct hit *hit, const struct uring_iter *iter)
{
	__u32 n = iter->segments < IO_NEAR ? iter->segments : IO_NEAR;

	hit->vector = iter->at;
	hit->in_kernel = 1;
	hit->vectors = iter->segments < IO_MOST ? iter->segments : IO_MOST;
	if (n < 1 || bpf_probe_read_kernel(hit->near, n * sizeof(hit->near[0]), (void *)iter->at))
		return false;
	hit->near[0].base += iter->offset;
	hit->near[0].len -= iter->offset;
	return true;
}

static __always_inline bool uring_buffers(struct hit *hit, const struct uring_iter *iter)
{
	if (iter->type == ITER_IOVEC)
		return uring_vector(hit, iter);
	hit->near[0].base = iter->at + iter->offset;
	hit->near[0].len = hit->moved;
	hit->vectors = 1;
	return iter->type == ITER_UBUF;
}

static __always_inline bool uring_take(struct hit *hit, struct uring_request *kept,
				       const struct uring_iter *before,
				       const struct uring_iter *now)
{
	/* one that is done cannot have moved the next hit's bytes, too */
	if (before->count == now->count)
		kept->address = 0;
	kept->iter = *now;
	return uring_buffers(hit, before);
}

static __always_inline struct uring_request *uring_of_this_task(const struct hit *hit)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct uring_task *task = bpf_task_storage_get(&uring_of_task, current, NULL, 0);

	return task ? &task->request[hit->dir & 1] : NULL;
}

int uring_find(struct hit *hit, __u64 sk)
{
	struct uring_request *of_socket, *of_task;
	struct uring_iter before, now;
	__u64 key;

	/* a global function is verified even where nothing can call it */
	if (!hit || !bpf_core_type_exists(struct io_kiocb))
		return 0;
	key = uring_key(sk, hit->dir);
	of_task = uring_of_this_task(hit);
	of_socket = bpf_map_lookup_elem(&uring_of_socket, &key);
	if (of_socket && uring_moved(of_socket, hit, sk, &before, &now)) {
		/* told from others by its iterator, or else there must be no other */
		if (now.count == before.count && uring_is_for(of_task, sk, hit->dir))
			return 0;
		return uring_take(hit, of_socket, &before, &now);
	}
	if (of_task && uring_moved(of_task, hit, sk, &before, &now) && now.count != before.count)
		return uring_take(hit, of_task, &before, &now);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
