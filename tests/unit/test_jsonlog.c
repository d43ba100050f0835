/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's way out: slow readers, gone readers, and descriptors that others share. Lines arrive
 * whole and in order, and each is either written or counted as dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "out/jsonlog.h"

static struct clock clock_at_zero; /* monotonic is wall */

static struct jsonlog *new_log(int fd, size_t bytes)
{
	struct jsonlog *j = jsonlog_new(&(struct jsonlog_options){
		.fd = fd, .buffer_bytes = bytes, .form.clock = &clock_at_zero});

	assert_non_null(j);
	return j;
}

static void write_numbered(struct jsonlog *j, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		struct request r = {.role = ROLE_SERVER, .status = 200, .pid = i + 1};

		request_set(&r, op, STR("GET"));
		request_set(&r, target, STR("/numbered"));
		jsonlog_write(j, &r);
	}
}

/* Reads until the end of the stream or would-block. Lines must be whole, with growing pids. */
struct reader {
	char rest[2 * JSONLOG_LINE_MAX];
	size_t n;
	uint64_t lines;
	json_int_t last_pid;
};

static void take_lines(struct reader *r)
{
	char *newline;

	while ((newline = memchr(r->rest, '\n', r->n))) {
		size_t length = (size_t)(newline - r->rest) + 1;
		json_t *json = json_loadb(r->rest, length, 0, NULL);

		assert_non_null(json);
		assert_true(json_integer_value(json_object_get(json, "pid")) > r->last_pid);
		r->last_pid = json_integer_value(json_object_get(json, "pid"));
		json_decref(json);
		r->lines++;
		memmove(r->rest, newline + 1, r->n - length);
		r->n -= length;
	}
}

static void read_some(struct reader *r, int fd, size_t most)
{
	while (most) {
		size_t room = sizeof(r->rest) - r->n;
		ssize_t n = read(fd, r->rest + r->n, room < most ? room : most);

		if (n <= 0)
			return;
		r->n += (size_t)n;
		most -= (size_t)n;
		take_lines(r);
	}
}

/* A reader that takes odd bits now and then: whole lines in order, and the counts add up. */
static void slow_reader(struct jsonlog *j, int read_fd, int write_fd)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	uint32_t written = 0;

	assert_non_null(reader);
	for (int round = 0; round < 50; round++) {
		write_numbered(j, written, written + 100);
		written += 100;
		jsonlog_flush(j);
		read_some(reader, read_fd, 7777);
	}
	assert_true(jsonlog_dropped(j) > 0);
	while (jsonlog_flush(j) == -EAGAIN)
		read_some(reader, read_fd, 7777);
	read_some(reader, read_fd, SIZE_MAX);
	assert_int_equal(reader->n, 0);
	assert_int_equal(reader->lines, jsonlog_lines(j));
	assert_int_equal(jsonlog_lines(j) + jsonlog_dropped(j), written);
	assert_int_equal(fcntl(write_fd, F_GETFL) & O_NONBLOCK, 0);
	jsonlog_free(j);
	assert_true(fcntl(write_fd, F_GETFL) >= 0);
	free(reader);
}

static void *read_all(void *arg)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	uint64_t lines;

	read_some(reader, *(int *)arg, SIZE_MAX);
	lines = reader->lines;
	free(reader);
	return (void *)(uintptr_t)lines;
}

static void test_slow_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	slow_reader(new_log(fds[1], 40000), fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
}

static void test_slow_socket(void **state)
{
	int fds[2], bytes = 4096;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	slow_reader(new_log(fds[1], 40000), fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
}

/* Without a reader it cannot be opened once more (ENXIO), so poll() is asked before each write. */
static void test_slow_fifo(void **state)
{
	char directory[] = "/tmp/test_jsonlog_XXXXXX", path[64];
	int read_fd, write_fd;
	struct jsonlog *j;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	read_fd = open(path, O_RDONLY | O_NONBLOCK);
	write_fd = open(path, O_WRONLY);
	assert_true(read_fd >= 0 && write_fd >= 0);
	close(read_fd);
	j = new_log(write_fd, 40000);
	read_fd = open(path, O_RDONLY | O_NONBLOCK);
	unlink(path);
	rmdir(directory);
	slow_reader(j, read_fd, write_fd);
	close(read_fd);
	j = new_log(write_fd, 40000);
	write_numbered(j, 0, 10);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_dropped(j), 10);
	jsonlog_free(j);
	close(write_fd);
}

static void test_reader_gone(void **state)
{
	struct jsonlog *j;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 1 << 20);
	write_numbered(j, 0, 3);
	assert_int_equal(jsonlog_flush(j), 0);
	write_numbered(j, 3, 10);
	close(fds[0]);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_flush(j), 0); /* said once */
	write_numbered(j, 10, 5000);
	assert_int_equal(jsonlog_flush(j), 0);
	assert_int_equal(jsonlog_lines(j), 3);
	assert_int_equal(jsonlog_dropped(j), 4997);
	jsonlog_drain(j, 1000);
	jsonlog_free(j);
	close(fds[1]);
}

/* The reader goes while a line is written, not flushed: it must still be said. */
static void test_reader_gone_unasked(void **state)
{
	struct jsonlog *j;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 1 << 20);
	close(fds[0]);
	write_numbered(j, 0, 5000);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_dropped(j), 5000);
	jsonlog_free(j);
	close(fds[1]);
}

static void test_drain(void **state)
{
	struct jsonlog *j;
	pthread_t thread;
	void *lines;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 8 << 20);
	write_numbered(j, 0, 5000);
	assert_int_equal(jsonlog_flush(j), -EAGAIN);
	jsonlog_drain(j, 1); /* nobody reads: comes back */
	assert_int_equal(jsonlog_flush(j), -EAGAIN);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &fds[0]), 0);
	jsonlog_drain(j, 60000);
	assert_int_equal(jsonlog_lines(j), 5000);
	assert_int_equal(jsonlog_dropped(j), 0);
	jsonlog_free(j);
	close(fds[1]);
	pthread_join(thread, &lines);
	assert_int_equal((uintptr_t)lines, 5000);
	close(fds[0]);
}

static void test_file(void **state)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	FILE *f = tmpfile();
	struct jsonlog *j;

	(void)state;
	assert_non_null(f);
	assert_non_null(reader);
	j = new_log(fileno(f), 0); /* too small for a line: gets room for one */
	for (uint32_t i = 0; i < 2000; i++) {
		write_numbered(j, i, i + 1);
		assert_int_equal(jsonlog_flush(j), 0);
	}
	assert_int_equal(jsonlog_lines(j), 2000);
	rewind(f);
	read_some(reader, fileno(f), SIZE_MAX);
	assert_int_equal(reader->lines, 2000);
	jsonlog_free(j);
	free(reader);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_pipe),
		cmocka_unit_test(test_slow_socket),
		cmocka_unit_test(test_slow_fifo),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_reader_gone_unasked),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_file),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
