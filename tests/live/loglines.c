/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the agent's log lines on stdin and believes none of them: each must be one flat JSON object
 * of valid UTF-8 under 16,000 bytes that ends with a newline, with the fields of the log's contract
 * and no others, each of its type, never empty, and with a level that fits the outcome.
 *
 * Prints a tally, `ROLE METHOD STATUS COUNT` a line and `lines COUNT` last. The first line that is
 * refused ends the program with 1 and is named with its reason on stderr.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16000
#define TALLY_MAX      4096

enum need { OPTIONAL, REQUIRED };

static const struct field {
	const char *name;
	enum need need;
	json_type type;
} fields[] = {
	{"timestamp", REQUIRED, JSON_STRING},
	{"level", REQUIRED, JSON_STRING},
	{"logger", REQUIRED, JSON_STRING},
	{"message", REQUIRED, JSON_STRING},
	{"request_id", OPTIONAL, JSON_STRING},
	{"user_id", OPTIONAL, JSON_STRING},
	{"trace_id", OPTIONAL, JSON_STRING},
	{"span_id", OPTIONAL, JSON_STRING},
	{"parent_span_id", OPTIONAL, JSON_STRING},
	{"parent_source", OPTIONAL, JSON_STRING},
	{"service", REQUIRED, JSON_STRING},
	{"namespace", OPTIONAL, JSON_STRING},
	{"pod", OPTIONAL, JSON_STRING},
	{"container", OPTIONAL, JSON_STRING},
	{"node", OPTIONAL, JSON_STRING},
	{"role", REQUIRED, JSON_STRING},
	{"protocol", REQUIRED, JSON_STRING},
	{"method", REQUIRED, JSON_STRING},
	{"path", OPTIONAL, JSON_STRING},
	{"route", OPTIONAL, JSON_STRING},
	{"status", OPTIONAL, JSON_INTEGER},
	{"error", OPTIONAL, JSON_STRING},
	{"stream", OPTIONAL, JSON_TRUE},
	{"duration_ms", REQUIRED, JSON_REAL},
	{"ttfb_ms", OPTIONAL, JSON_REAL},
	{"request_bytes", OPTIONAL, JSON_INTEGER},
	{"response_bytes", OPTIONAL, JSON_INTEGER},
	{"peer", OPTIONAL, JSON_STRING},
	{"pid", REQUIRED, JSON_INTEGER},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

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

static bool value_check(const char *name, const json_t *value)
{
	const struct field *field = field_find(name);

	if (!field)
		return refuse("field that the contract does not know", name);
	if (!type_fits(value, field->type))
		return refuse("wrong type", name);
	if (json_is_string(value) && !json_string_length(value))
		return refuse("empty rather than absent", name);
	if (json_is_number(value) && json_number_value(value) < 0)
		return refuse("negative", name);
	return true;
}

static bool fields_check(json_t *line)
{
	const char *name;
	json_t *value;

	json_object_foreach(line, name, value) if (!value_check(name, value)) return false;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (fields[i].need == REQUIRED && !json_object_get(line, fields[i].name))
			return refuse("missing", fields[i].name);
	return true;
}

static const char *text(const json_t *line, const char *name)
{
	const char *value = json_string_value(json_object_get(line, name));

	return value ? value : "";
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

static const char *level_of(json_int_t status, bool failed)
{
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

static bool meaning_check(const json_t *line)
{
	const char *role = text(line, "role");
	const json_t *status = json_object_get(line, "status");
	bool failed = json_object_get(line, "error") != NULL;

	if (strcmp(role, "server") && strcmp(role, "client"))
		return refuse("role", role);
	if (status && (json_integer_value(status) < 100 || json_integer_value(status) > 999))
		return refuse("status", text(line, "message"));
	if (strcmp(text(line, "level"), level_of(json_integer_value(status), failed)))
		return refuse("level does not fit", text(line, "level"));
	return timestamp_check(text(line, "timestamp")) && hex_check(line, "trace_id", 32) &&
	       hex_check(line, "span_id", 16) && hex_check(line, "parent_span_id", 16);
}

static bool tally_add(const json_t *line)
{
	struct tally *t = tally;
	char key[sizeof(t->key)];

	snprintf(key, sizeof(key), "%s %s %lld", text(line, "role"), text(line, "method"),
		 (long long)json_integer_value(json_object_get(line, "status")));
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
	good = good && fields_check(line) && meaning_check(line) && tally_add(line);
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
