/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of list and watch. A list says what there is, in pages, and its version; a watch
 * from that version on tells each change. The invariant: `version` is of the last event that was
 * told whole, so a watch that breaks off is resumed without a gap; where a gap cannot be excluded
 * (410, an event that is no JSON) all is listed anew.
 *
 * A first list may come from the server's memory (resourceVersion=0), which spares its data base a
 * node's agents that all start at once; after a 410 it may not. Whatever fails, and also a watch
 * that is over too soon, makes the next wait longer, up to 30 s, and random, so that the agents of
 * a cluster do not come in step.
 *
 * Bounded: pages of a list, a pod's text, tokens. Refused: a version or a token that does not fit.
 */
#include "who/follow.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define PAGE_PODS     100
#define PAGES_MAX     64
#define WAIT_FIRST_NS (500 * NS_PER_MS)
#define WAIT_MOST_NS  (30 * NS_PER_SECOND)
#define SOON_NS	      NS_PER_SECOND	   /* no watch is over that soon */
#define LONG_NS	      (10 * NS_PER_SECOND) /* one that breaks off after that did its work */
#define STATUS_OK     200
#define STATUS_GONE   410

void follow_begin(struct follow *f)
{
	f->ask = FOLLOW_LIST;
	f->more[0] = f->version[0] = f->why[0] = '\0';
	f->troubled = f->told = f->latest = false;
	f->pages = 0;
	split_reset(&f->split);
}

void follow_end(struct follow *f)
{
	buf_close(&f->split.part);
	buf_close(&f->split.envelope);
}

static void trouble(struct follow *f, enum follow_trouble kind, const char *why, struct str detail)
{
	f->stats.troubles[kind]++;
	if (f->troubled)
		return;
	f->troubled = true;
	snprintf(f->why, sizeof(f->why), "%s%s%.*s", why, detail.n ? ": " : "", (int)detail.n,
		 detail.n ? detail.p : "");
}

static void invalid(struct follow *f, const char *why)
{
	trouble(f, FOLLOW_INVALID, why, (struct str){NULL, 0});
}

/* Nothing of what was known can be resumed from. */
static void list_anew(struct follow *f)
{
	f->ask = FOLLOW_LIST;
	f->more[0] = '\0';
	f->pages = 0;
}

static void expired(struct follow *f)
{
	trouble(f, FOLLOW_EXPIRED, "too old to resume (410)", (struct str){NULL, 0});
	f->latest = true;
	list_anew(f);
}

static bool keep(char *to, size_t size, const json_t *text)
{
	if (json_string_length(text) >= size)
		return false;
	str_copy(to, size, (struct str){json_string_value(text), json_string_length(text)});
	return true;
}

static void tell_mark(struct follow *f, enum pod_news news)
{
	f->facts.news = news;
	f->facts.container_count = 0;
	f->tell(f->ctx, &f->facts);
}

static void tell_pod(struct follow *f, const json_t *pod, enum pod_news news)
{
	if (!pod_read(&f->facts, pod, f->label)) {
		f->stats.troubles[FOLLOW_INVALID]++;
		return;
	}
	f->facts.news = news;
	f->tell(f->ctx, &f->facts);
}

static json_t *part_load(struct follow *f, struct str text)
{
	if (!text.p) {
		f->stats.troubles[FOLLOW_TOO_LARGE]++;
		return NULL;
	}
	return json_loadb(text.p, text.n, 0, NULL);
}

static bool on_item(void *ctx, struct str text)
{
	struct follow *f = ctx;
	json_t *pod = part_load(f, text);

	if (pod)
		tell_pod(f, pod, POD_IS);
	else if (text.p)
		invalid(f, "a pod in the list is no JSON");
	json_decref(pod);
	return !f->troubled;
}

static bool on_error_event(struct follow *f, const json_t *status)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));
	const json_t *message = json_object_get(status, "message");

	if (code == STATUS_GONE)
		expired(f);
	else
		trouble(f, FOLLOW_STATUS, "the watch says",
			(struct str){json_string_value(message), json_string_length(message)});
	return false;
}

static const struct {
	const char *type;
	bool tells;
	enum pod_news news;
} events[] = {
	{"ADDED", true, POD_IS},
	{"MODIFIED", true, POD_IS},
	{"DELETED", true, POD_GONE},
	{"BOOKMARK", false, POD_IS},
};

static bool event_read(struct follow *f, const json_t *event)
{
	const json_t *object = json_object_get(event, "object"), *version;
	struct str type = str_of(json_string_value(json_object_get(event, "type")));

	if (str_eq(type, STR("ERROR")))
		return on_error_event(f, object);
	version = json_object_get(json_object_get(object, "metadata"), "resourceVersion");
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		if (!str_eq(type, str_of(events[i].type)))
			continue;
		if (!json_string_length(version) || !keep(f->version, sizeof(f->version), version))
			break;
		if (events[i].tells)
			tell_pod(f, object, events[i].news);
		return f->told = true;
	}
	list_anew(f);
	invalid(f, "an event of the watch is not understood");
	return false;
}

static bool on_line(void *ctx, struct str text)
{
	struct follow *f = ctx;
	json_t *event = part_load(f, text);
	bool go_on = true;

	if (event) {
		go_on = event_read(f, event);
	} else {
		/* what it said is lost, also which pod and which version it was */
		list_anew(f);
		invalid(f, text.p ? "an event of the watch is no JSON"
				  : "an event of the watch is too long");
		go_on = false;
	}
	json_decref(event);
	return go_on;
}

static void answer_begin(struct follow *f, long status)
{
	f->status = status;
	f->split.fn = f->ask == FOLLOW_LIST ? on_item : on_line;
	f->split.ctx = f;
	split_reset(&f->split);
	if (status != STATUS_OK)
		return;
	if (f->ask == FOLLOW_LIST && !f->more[0])
		tell_mark(f, POD_LIST_BEGIN);
	if (f->ask == FOLLOW_WATCH && !atomic_exchange(&f->stats.up, true) && !f->quiet)
		log_info("sonde.who", "pods of %s are named by the Kubernetes API", f->node);
}

bool follow_bytes(struct follow *f, long status, struct str bytes)
{
	if (!f->status)
		answer_begin(f, status);
	if (status != STATUS_OK) {
		buf_bytes(&f->split.envelope, bytes.p, bytes.n);
		return !f->split.envelope.full;
	}
	return f->ask == FOLLOW_LIST ? split_list(&f->split, bytes) : split_lines(&f->split, bytes);
}

static void escape(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '-' || c == '.' || c == '_')
			buf_char(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

void follow_path(struct follow *f, char path[static FOLLOW_PATH_SIZE])
{
	struct buf b;

	f->status = 0;
	f->troubled = f->told = false;
	f->stats.asked[f->ask]++;
	buf_init_fixed(&b, path, FOLLOW_PATH_SIZE - 1);
	buf_text(&b, "/api/v1/pods?fieldSelector=spec.nodeName%3D");
	escape(&b, f->node);
	if (f->ask == FOLLOW_WATCH) {
		buf_printf(&b, "&watch=true&allowWatchBookmarks=true&timeoutSeconds=%d",
			   FOLLOW_WATCH_SECONDS);
		buf_text(&b, "&resourceVersion=");
		escape(&b, f->version);
	} else {
		buf_printf(&b, "&limit=%d", PAGE_PODS);
		if (f->more[0])
			buf_text(&b, "&continue=");
		else if (!f->latest)
			buf_text(&b, "&resourceVersion=0");
		escape(&b, f->more);
	}
	path[b.n] = '\0';
}

static void list_over(struct follow *f)
{
	struct str text = split_envelope(&f->split);
	json_t *list = text.p ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	const json_t *meta = json_object_get(list, "metadata");
	const json_t *version = json_object_get(meta, "resourceVersion");

	if (!json_string_length(version) || !keep(f->version, sizeof(f->version), version) ||
	    !keep(f->more, sizeof(f->more), json_object_get(meta, "continue")) ||
	    (f->more[0] && ++f->pages == PAGES_MAX)) {
		list_anew(f);
		invalid(f, list ? "a list without an end" : "a list that is no JSON, or cut off");
	} else if (!f->more[0]) {
		tell_mark(f, POD_LIST_END);
		list_anew(f);
		f->ask = FOLLOW_WATCH;
		f->latest = false;
	}
	json_decref(list);
}

/* An answer that is not 200 has a Status as its body. */
static void status_bad(struct follow *f, long status)
{
	bool denied = status == 401 || status == 403;
	struct str text = buf_view(&f->split.envelope);
	json_t *body = json_loadb(text.p ? text.p : "", text.n, 0, NULL);
	const json_t *message = json_object_get(body, "message");
	char why[64];

	snprintf(why, sizeof(why), "status %ld", status);
	if (status == STATUS_GONE)
		expired(f);
	else
		trouble(f, denied ? FOLLOW_DENIED : FOLLOW_STATUS, why,
			(struct str){json_string_value(message), json_string_length(message)});
	json_decref(body);
}

static uint64_t wait_of(const struct follow *f, uint32_t random)
{
	unsigned doubled = f->failed - 1 < 8 ? f->failed - 1 : 8;
	uint64_t wait = WAIT_FIRST_NS << doubled;

	if (wait > WAIT_MOST_NS)
		wait = WAIT_MOST_NS;
	return wait / 2 + wait / 2 * (random & 0xffff) / 0x10000;
}

static void say_down(struct follow *f)
{
	bool news = atomic_exchange(&f->stats.up, false) || f->failed == 1;

	if (f->quiet)
		return;
	if (news)
		log_warn("sonde.who",
			 "the Kubernetes API does not tell of pods: %s; the names of the kubelet's "
			 "folders serve, and it is asked again",
			 f->why);
	else
		log_debug("sonde.who", "the Kubernetes API still does not tell of pods: %s",
			  f->why);
}

static uint64_t wait_after(struct follow *f, bool listed, uint64_t lasted_ns, uint32_t random)
{
	bool soon = !listed && lasted_ns < SOON_NS;

	/* one that did its work before it broke off is no reason to wait long */
	if (!listed && !soon && (f->told || !f->troubled))
		f->failed = 0;
	if (!f->troubled && !soon)
		return 0;
	f->failed++;
	if (f->troubled)
		say_down(f);
	return wait_of(f, random);
}

uint64_t follow_answered(struct follow *f, long status, const char *broke, uint64_t lasted_ns,
			 uint32_t random)
{
	bool listed = f->ask == FOLLOW_LIST;

	if (!f->status && status)
		answer_begin(f, status);
	if (f->troubled)
		; /* the answer was not read to its end */
	else if (status && status != STATUS_OK)
		status_bad(f, status);
	else if (broke || !status)
		trouble(f, FOLLOW_CONNECTION, broke ? broke : "no answer", (struct str){NULL, 0});
	else if (listed)
		list_over(f);
	else if (split_rest(&f->split))
		trouble(f, FOLLOW_CONNECTION, "the watch ended within an event",
			(struct str){NULL, 0});
	split_reset(&f->split);
	if (f->troubled && listed)
		list_anew(f);
	return wait_after(f, listed, lasted_ns, random);
}
