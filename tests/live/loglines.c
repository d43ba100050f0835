/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the agent's log lines on stdin and believes none of them: each must be one flat JSON object
 * of valid UTF-8 under 16,000 bytes that ends with a newline, with the fields of the log's contract
 * and no others, each of its type, never empty, and with a level that fits the outcome. Lines of
 * WebSockets have a contract of their own at open, on the way and at close.
 *
 * Prints a tally, `ROLE METHOD STATUS COUNT` (of a WebSocket: `ROLE EVENT CODE COUNT`) a line and
 * `lines COUNT` last. The first line that is refused ends the program with 1 and is named with its
 * reason on stderr.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16000
#define TALLY_MAX      4096

enum kind { REQUEST, OPEN, PROGRESS, CLOSE, KINDS }; /* of line; the last three of WebSockets */

static const struct field {
	const char *name;
	const char *need; /* by enum kind: r required, o optional, - not there */
	json_type type;
} fields[] = {
	{"timestamp", "rrrr", JSON_STRING},
	{"level", "rrrr", JSON_STRING},
	{"logger", "rrrr", JSON_STRING},
	{"message", "rrrr", JSON_STRING},
	{"request_id", "oooo", JSON_STRING},
	{"user_id", "oooo", JSON_STRING},
	{"trace_id", "rooo", JSON_STRING},
	{"span_id", "rooo", JSON_STRING},
	{"parent_span_id", "oooo", JSON_STRING},
	{"parent_source", "rooo", JSON_STRING},
	{"request_id_source", "oooo", JSON_STRING},
	{"service", "rrrr", JSON_STRING},
	{"namespace", "oooo", JSON_STRING},
	{"pod", "oooo", JSON_STRING},
	{"container", "oooo", JSON_STRING},
	{"node", "oooo", JSON_STRING},
	{"role", "rrrr", JSON_STRING},
	{"protocol", "rrrr", JSON_STRING},
	{"event", "-rrr", JSON_STRING},
	{"method", "r---", JSON_STRING},
	{"path", "oooo", JSON_STRING},
	{"route", "oooo", JSON_STRING},
	{"status", "o---", JSON_INTEGER},
	{"error", "oooo", JSON_STRING},
	{"stream", "o---", JSON_TRUE},
	{"duration_ms", "r-rr", JSON_REAL},
	{"ttfb_ms", "o---", JSON_REAL},
	{"request_bytes", "o---", JSON_INTEGER},
	{"response_bytes", "o---", JSON_INTEGER},
	{"peer", "oooo", JSON_STRING},
	{"pid", "rrrr", JSON_INTEGER},
	{"subprotocol", "-ooo", JSON_STRING},
	{"resumed", "-ooo", JSON_TRUE},
	{"reconnect", "-ooo", JSON_TRUE},
	{"messages_sent", "--rr", JSON_INTEGER},
	{"messages_received", "--rr", JSON_INTEGER},
	{"bytes_sent", "--rr", JSON_INTEGER},
	{"bytes_received", "--rr", JSON_INTEGER},
	{"unseen_bytes", "--oo", JSON_INTEGER},
	{"close_code", "---r", JSON_INTEGER},
	{"close_reason", "---o", JSON_STRING},
	{"initiator", "---r", JSON_STRING},
	{"undelivered_bytes", "---o", JSON_INTEGER},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* Whatever --log-headers asked for. */
static const struct field header = {"header_", "o---", JSON_STRING};

static struct tally {
	char key[96];
	unsigned long count;
} tally[TALLY_MAX];
static unsigned tally_count;

static char reason[256];

static bool refuse(const char *why, const char *what)
{
	snprintf(reason, sizeof(reason), "%s: %s", why, what);
	return false;
}

static const struct field *field_find(const char *name)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* A whole number is a fine real. */
static bool type_fits(const json_t *value, json_type type)
{
	return json_typeof(value) == type || (type == JSON_REAL && json_is_integer(value));
}

static bool value_check(enum kind kind, const char *name, const json_t *value)
{
	const struct field *field = field_find(name);

	if (!strncmp(name, "header_", 7) && kind == REQUEST)
		field = &header;
	if (!field || field->need[kind] == '-')
		return refuse("field that the contract does not know", name);
	if (!type_fits(value, field->type))
		return refuse("wrong type", name);
	if (json_is_string(value) && !json_string_length(value))
		return refuse("empty rather than absent", name);
	if (json_is_number(value) && json_number_value(value) < 0)
		return refuse("negative", name);
	return true;
}

static bool fields_check(enum kind kind, json_t *line)
{
	const char *name;
	json_t *value;

	json_object_foreach(line, name, value) if (!value_check(kind, name, value)) return false;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (fields[i].need[kind] == 'r' && !json_object_get(line, fields[i].name))
			return refuse("missing", fields[i].name);
	return true;
}

static const char *text(const json_t *line, const char *name)
{
	const char *value = json_string_value(json_object_get(line, name));

	return value ? value : "";
}

static json_int_t number(const json_t *line, const char *name)
{
	return json_integer_value(json_object_get(line, name));
}

static bool kind_check(const json_t *line, enum kind *kind)
{
	static const char *const events[KINDS] = {"", "open", "progress", "close"};
	static const char *const loggers[] = {"sonde.http", "sonde.websocket"};

	for (*kind = 0; *kind < KINDS; (*kind)++)
		if (!strcmp(text(line, "event"), events[*kind]))
			break;
	if (*kind == KINDS)
		return refuse("event", text(line, "event"));
	if (strcmp(text(line, "logger"), loggers[*kind != REQUEST]))
		return refuse("logger does not fit", text(line, "logger"));
	return true;
}

static bool timestamp_check(const char *time)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";

	if (strlen(time) != sizeof(form) - 1)
		return refuse("timestamp", time);
	for (unsigned i = 0; i < sizeof(form) - 1; i++) {
		bool digit = time[i] >= '0' && time[i] <= '9';

		if (form[i] == 'd' ? !digit : time[i] != form[i])
			return refuse("timestamp", time);
	}
	return true;
}

static const char *level_of_close(json_int_t code)
{
	bool abnormal = code == 1006 || (code >= 1011 && code <= 1015);

	return abnormal || (code >= 4000 && code <= 4999) ? "WARN" : "INFO";
}

static const char *level_of(enum kind kind, const json_t *line)
{
	json_int_t status = number(line, "status");
	bool failed = json_object_get(line, "error") != NULL;

	if (kind != REQUEST)
		return level_of_close(number(line, "close_code"));
	if (failed || status >= 500)
		return "ERROR";
	return status >= 400 ? "WARN" : "INFO";
}

static bool hex_check(const json_t *line, const char *name, size_t length)
{
	const char *value = text(line, name);

	if (!*value || (strlen(value) == length && strspn(value, "0123456789abcdef") == length))
		return true;
	return refuse(name, value);
}

static bool meaning_check(enum kind kind, const json_t *line)
{
	const char *role = text(line, "role");
	const json_t *status = json_object_get(line, "status");

	if (strcmp(role, "server") && strcmp(role, "client"))
		return refuse("role", role);
	if (status && (json_integer_value(status) < 100 || json_integer_value(status) > 999))
		return refuse("status", text(line, "message"));
	if (strcmp(text(line, "level"), level_of(kind, line)))
		return refuse("level does not fit", text(line, "level"));
	return timestamp_check(text(line, "timestamp")) && hex_check(line, "trace_id", 32) &&
	       hex_check(line, "span_id", 16) && hex_check(line, "parent_span_id", 16);
}

static bool tally_add(enum kind kind, const json_t *line)
{
	struct tally *t = tally;
	char key[sizeof(t->key)];

	snprintf(key, sizeof(key), "%s %s %lld", text(line, "role"),
		 text(line, kind == REQUEST ? "method" : "event"),
		 (long long)number(line, kind == REQUEST ? "status" : "close_code"));
	while (t < tally + tally_count && strcmp(t->key, key))
		t++;
	if (t == tally + tally_count) {
		if (tally_count == TALLY_MAX)
			return refuse("too many kinds of lines", key);
		memcpy(t->key, key, sizeof(key));
		tally_count++;
	}
	t->count++;
	return true;
}

static bool line_check(const char *bytes, size_t n)
{
	json_error_t error;
	enum kind kind;
	json_t *line;
	bool good;

	if (n > LINE_MAX_BYTES)
		return refuse("line", "too long");
	if (!n || bytes[n - 1] != '\n')
		return refuse("line", "has no end");
	line = json_loadb(bytes, n - 1, JSON_REJECT_DUPLICATES, &error);
	if (!line)
		return refuse("not JSON", error.text);
	good = json_is_object(line) ? true : refuse("line", "not an object");
	good = good && kind_check(line, &kind) && fields_check(kind, line) &&
	       meaning_check(kind, line) && tally_add(kind, line);
	json_decref(line);
	return good;
}

int main(void)
{
	unsigned long count = 0;
	char *bytes = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&bytes, &size, stdin)) > 0) {
		count++;
		if (!line_check(bytes, (size_t)n)) {
			fprintf(stderr, "line %lu: %s: %s", count, reason, bytes);
			free(bytes);
			return 1;
		}
	}
	free(bytes);
	for (unsigned i = 0; i < tally_count; i++)
		printf("%s %lu\n", tally[i].key, tally[i].count);
	printf("lines %lu\n", count);
	return 0;
}
