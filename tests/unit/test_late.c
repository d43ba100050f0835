/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for a name: it is given out once, in order, and in the end in any case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "late.h"

#define ROOM 1024

static struct {
	bool takes;
	uint32_t until; /* that pid it takes them, too */
	unsigned asked, taken, last;
	uint32_t pid; /* of the last one that was taken */
	bool counted;
	enum websocket_event what;
	char header;
} sink;

static bool taken(uint32_t pid, bool last)
{
	sink.asked++;
	if (!sink.takes && pid > sink.until && !last)
		return false;
	assert_true(pid > sink.pid); /* in order */
	sink.pid = pid;
	sink.taken++;
	sink.last += last;
	return true;
}

static bool on_request(void *ctx, const struct request *r, bool counted, bool last)
{
	assert_ptr_equal(ctx, &sink);
	sink.counted = counted;
	sink.header = r->headers ? r->headers->value[0][0] : '\0';
	return taken(r->pid, last);
}

static bool on_websocket(void *ctx, enum websocket_event what, const struct websocket *w, bool last)
{
	assert_ptr_equal(ctx, &sink);
	sink.what = what;
	return taken(w->pid, last);
}

static struct late *start(void)
{
	static const struct late_sinks sinks = {on_request, on_websocket, &sink};
	struct late *l = late_new(&sinks);

	assert_non_null(l);
	memset(&sink, 0, sizeof(sink));
	return l;
}

static void look(struct late *l)
{
	late_look(l, clock_monotonic());
}

static void test_given_once(void **state)
{
	struct request_headers headers = {.value = {"x"}};
	struct late *l = start();

	(void)state;
	assert_true(late_request(l, &(struct request){.pid = 1, .headers = &headers}, true));
	headers.value[0][0] = 'y'; /* they were lent */
	assert_true(late_websocket(l, WEBSOCKET_CLOSED, &(struct websocket){.pid = 2}));
	look(l);
	assert_int_equal(sink.asked, 2);
	assert_int_equal(sink.taken, 0);
	sink.takes = true;
	look(l);
	look(l);
	assert_int_equal(sink.taken, 2);
	assert_int_equal(sink.last, 0);
	assert_true(sink.counted);
	assert_int_equal(sink.header, 'x');
	assert_int_equal(sink.what, WEBSOCKET_CLOSED);
	late_free(l);
}

static void test_not_for_ever(void **state)
{
	struct late *l = start();
	uint64_t now = clock_monotonic();

	(void)state;
	assert_true(late_request(l, &(struct request){.pid = 1}, false));
	late_look(l, now); /* before it came */
	late_look(l, now + 6 * NS_PER_SECOND);
	assert_int_equal(sink.taken, 0);
	late_look(l, now + 8 * NS_PER_SECOND);
	assert_int_equal(sink.last, 1);
	assert_true(late_request(l, &(struct request){.pid = 2}, false));
	late_look(l, ~0ULL);
	assert_int_equal(sink.last, 2);
	late_free(l);
}

static void test_bounded(void **state)
{
	struct late *l = start();

	(void)state;
	assert_false(late_request(NULL, &(struct request){.pid = 1}, true));
	for (uint32_t pid = 1; pid <= ROOM; pid++)
		assert_true(late_request(l, &(struct request){.pid = pid}, true));
	assert_int_equal(sink.asked, 0);
	assert_true(late_websocket(l, WEBSOCKET_OPENED, &(struct websocket){.pid = ROOM + 1}));
	assert_int_equal(sink.last, ROOM / 4);
	assert_int_equal(sink.pid, ROOM / 4);
	sink.takes = true;
	look(l);
	assert_int_equal(sink.taken, ROOM + 1);
	assert_int_equal(sink.last, ROOM / 4);
	late_free(l);
}

/* Some always wait when others are taken. */
static void test_gaps(void **state)
{
	struct request_headers headers = {.value = {"x"}};
	struct late *l = start();

	(void)state;
	for (uint32_t pid = 1; pid <= 3 * ROOM; pid++) {
		assert_true(
			late_request(l, &(struct request){.pid = pid, .headers = &headers}, true));
		sink.until = pid - 1;
		look(l);
		assert_int_equal(sink.taken, pid - 1);
		assert_int_equal(sink.header, 'x');
	}
	late_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_once),
		cmocka_unit_test(test_not_for_ever),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
