/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An io_uring by raw system calls: set up, registered with, submitted to, waited for. No library,
 * so that nothing stands between a test and the kernel.
 */
#ifndef URING_RING_H
#define URING_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_ENTRIES 8
#define BUFFERS	     8
#define BUFFER_SIZE  4096

struct ring {
	int fd;
	bool polled; /* a kernel thread submits */
	unsigned *sq_tail, *sq_mask, *sq_flags, *sq_array;
	unsigned *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	struct io_uring_buf_ring *buffers; /* provided ones */
	char *memory;			   /* of them */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *ring_map(int fd, size_t size, off_t what)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (at == MAP_FAILED)
		fail("ring");
	return at;
}

static void ring_open(struct ring *r, __u32 flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 1};
	char *sq, *cq;

	r->fd = (int)syscall(__NR_io_uring_setup, RING_ENTRIES, &p);
	if (r->fd < 0)
		fail("io_uring_setup");
	sq = ring_map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = ring_map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	r->polled = flags & IORING_SETUP_SQPOLL;
	r->sqes = ring_map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	r->sq_flags = (unsigned *)(sq + p.sq_off.flags);
	r->sq_array = (unsigned *)(sq + p.sq_off.array);
	r->cq_head = (unsigned *)(cq + p.cq_off.head);
	r->cq_tail = (unsigned *)(cq + p.cq_off.tail);
	r->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void ring_register(struct ring *r, unsigned what, void *arg, unsigned n)
{
	if (syscall(__NR_io_uring_register, r->fd, what, arg, n) < 0)
		fail("io_uring_register");
}

static void ring_enter(struct ring *r, unsigned submit, unsigned wait, unsigned flags)
{
	while (syscall(__NR_io_uring_enter, r->fd, submit, wait, flags, NULL, 0) < 0)
		if (errno != EINTR)
			fail("io_uring_enter");
}

/* The next free entry; the caller fills it, then ring_submit(). */
static struct io_uring_sqe *ring_next(struct ring *r)
{
	unsigned slot = *r->sq_tail & *r->sq_mask;

	r->sq_array[slot] = slot;
	return &r->sqes[slot];
}

static void ring_submit(struct ring *r)
{
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_SEQ_CST);
	if (!r->polled)
		ring_enter(r, 1, 0, 0);
	else if (__atomic_load_n(r->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		ring_enter(r, 0, 0, IORING_ENTER_SQ_WAKEUP);
}

/* The oldest completion, or NULL; ring_done() gives its place back. */
static struct io_uring_cqe *ring_completion(struct ring *r)
{
	if (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) == *r->cq_head)
		return NULL;
	return &r->cqes[*r->cq_head & *r->cq_mask];
}

static void ring_done(struct ring *r)
{
	__atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
}

static void buffer_give(struct ring *r, __u16 id)
{
	struct io_uring_buf *buf = &r->buffers->bufs[r->buffers->tail & (BUFFERS - 1)];

	buf->addr = (__u64)(uintptr_t)(r->memory + (size_t)id * BUFFER_SIZE);
	buf->len = BUFFER_SIZE;
	buf->bid = id;
	__atomic_store_n(&r->buffers->tail, r->buffers->tail + 1, __ATOMIC_RELEASE);
}

static void buffers_open(struct ring *r)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS};

	r->memory = aligned_alloc(4096, BUFFERS * BUFFER_SIZE);
	r->buffers = aligned_alloc(4096, 4096);
	if (!r->memory || !r->buffers)
		fail("memory");
	memset(r->buffers, 0, 4096);
	reg.ring_addr = (__u64)(uintptr_t)r->buffers;
	ring_register(r, IORING_REGISTER_PBUF_RING, &reg, 1);
	for (__u16 id = 0; id < BUFFERS; id++)
		buffer_give(r, id);
}

/* Bytes in a buffer that the kernel chose. */
static void buffer_take(struct ring *r, const struct io_uring_cqe *cqe, char *to)
{
	__u16 id = (__u16)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	if (!(cqe->flags & IORING_CQE_F_BUFFER) || cqe->res < 0)
		return;
	memcpy(to, r->memory + (size_t)id * BUFFER_SIZE, (size_t)cqe->res);
	buffer_give(r, id);
}

#endif
