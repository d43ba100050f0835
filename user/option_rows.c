/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options as rows, and the commands. What a row says is all there is: parsing, the environment
 * twins, the config file's keys, --help and the README's table come from here. A new option is one
 * row, a member of struct options and, for a new kind of value, a function in option_values.c.
 *
 * The invariant: a row's fallback is text that its own function accepts.
 */
#include <stdio.h>

#include "event.h"
#include "option.h"

#define MEMBER(name) offsetof(struct options, name)

const struct option_row option_rows[OPTION_COUNT] = {
	{.name = "listen",
	 .placeholder = "ADDR:PORT",
	 .fallback = "0.0.0.0:9435",
	 .help = "Where metrics, health and the page are served.",
	 .takes = "ADDR:PORT, [v6]:PORT or :PORT with an IP address, such as 127.0.0.1:9435",
	 .set = set_listen,
	 .offset = MEMBER(listen)},
	{.name = "config",
	 .placeholder = "FILE",
	 .help = "A JSON object whose keys are the long names of these options.",
	 .takes = "a file's path",
	 .set = set_text,
	 .offset = MEMBER(config),
	 .traits = OPTION_NOT_IN_FILE},
	{.name = "service",
	 .placeholder = "PORT=NAME",
	 .help = "Name of the service that listens on a local port. May be given again; a comma "
		 "separates several.",
	 .takes = "PORT=NAME, such as 8000=backend, for at most 256 ports",
	 .set = set_services,
	 .traits = OPTION_LIST},
	{.name = "user-id",
	 .placeholder = "LIST",
	 .fallback = "header,jwt",
	 .help = "Whose a request is, the first that says it: header (X-User-ID) or header:NAME; "
		 "jwt, the claim sub of a bearer token that nobody verifies here, or jwt:CLAIM. "
		 "With hash among them a keyed hash is written in place of the id. off: none.",
	 .takes = "off, or a list of header, header:NAME, jwt, jwt:CLAIM and hash, such as "
		  "header,jwt,hash; no header that carries secrets",
	 .set = set_user_id},
	{.name = "user-id-key-file",
	 .placeholder = "FILE",
	 .help = "Key of that hash, 16 to 4096 bytes, so that it stays the same over restarts and "
		 "on all nodes; else a key is drawn at each start.",
	 .takes = "a file's path",
	 .set = set_text,
	 .offset = MEMBER(user_key_file)},
	{.name = "backend",
	 .placeholder = "NAME",
	 .fallback = "auto",
	 .help = "How the kernel is hooked: auto takes the first way that works, sock "
		 "(tracepoints, "
		 "kernel 6.3), fexit (5.17, arm64 6.4) or syscall (5.10).",
	 .takes = "auto, sock, fexit or syscall",
	 .set = set_backend},
	{.name = "detail",
	 .placeholder = "LEVEL",
	 .fallback = "full",
	 .help = "What is told of each request: full; errors: lines only for errors and slow ones, "
		 "the others are counted without route; metrics: the same without paths and ids, "
		 "at "
		 "the least cost. Counts are exact in all of them.",
	 .takes = "full, errors or metrics",
	 .set = set_detail},
	{.name = "log-sample",
	 .placeholder = "RATE",
	 .fallback = "1",
	 .help = "Share of request lines that are written, 0 to 1, decided by the trace id. Those "
		 "of errors, aborted and slow requests always are.",
	 .takes = "a share from 0 to 1 with at most six digits, such as 0.05",
	 .set = set_share,
	 .offset = MEMBER(log_sample),
	 .traits = OPTION_NUMBER},
	{.name = "log-slow",
	 .placeholder = "DURATION",
	 .fallback = "1s",
	 .help = "A response that has not begun after this time is slow: it is told of in any "
		 "--detail.",
	 .takes = "a duration such as 500ms, 2s or 1m",
	 .set = set_duration,
	 .offset = MEMBER(log_slow_ns),
	 .traits = OPTION_NUMBER},
	{.name = "log-rate",
	 .placeholder = "N/s",
	 .fallback = "0",
	 .help = "Lines a second at most; 0 sets no bound. Errors, aborted and slow requests are "
		 "the last to go.",
	 .takes = "a number from 0 to 1000000, such as 500/s",
	 .set = set_rate,
	 .most = 1000000,
	 .traits = OPTION_NUMBER},
	{.name = "log-fields",
	 .placeholder = "NAME,...",
	 .help = "The fields of log lines, instead of all that are known; timestamp, level, logger "
		 "and message always stand there. May be given again.",
	 .takes = "names of log fields, such as path,status,duration_ms",
	 .set = set_log_fields,
	 .near = near_log_field,
	 .traits = OPTION_LIST},
	{.name = "log-headers",
	 .placeholder = "NAME,...",
	 .help = "Headers of the request, or else of the response, that log lines have, X-Tenant "
		 "as "
		 "header_x_tenant. May be given again, 8 names in all.",
	 .takes = "names of at most 8 headers, such as X-Tenant; Authorization, "
		  "Proxy-Authorization, Cookie and Set-Cookie are never logged",
	 .set = set_log_headers,
	 .traits = OPTION_LIST},
	{.name = "ring-size",
	 .placeholder = "BYTES",
	 .fallback = "4MiB",
	 .help = "Ring buffer between kernel and agent, a power of two from 64KiB to 1GiB.",
	 .takes = "a power of two from 64KiB to 1GiB, such as 4MiB",
	 .set = set_size,
	 .offset = MEMBER(ring_size),
	 .least = 64 << 10,
	 .most = 1 << 30,
	 .traits = OPTION_NUMBER},
	{.name = "capture-bytes",
	 .placeholder = "N",
	 .fallback = "1024",
	 .help = "How much of each message's head is read, 64 to 4096 bytes.",
	 .set = set_number,
	 .offset = MEMBER(capture_bytes),
	 .least = 64,
	 .most = EVENT_CAPTURE_MAX,
	 .traits = OPTION_NUMBER},
	{.name = "series-max",
	 .placeholder = "N",
	 .fallback = "2000",
	 .help = "Series of a metric family; what comes later counts under the route \"other\".",
	 .set = set_number,
	 .offset = MEMBER(series_max),
	 .least = 1,
	 .most = 1000000,
	 .traits = OPTION_NUMBER},
	{.name = "routes-max",
	 .placeholder = "N",
	 .fallback = "200",
	 .help = "Routes of a service; what comes later counts under the route \"other\".",
	 .set = set_number,
	 .offset = MEMBER(routes_max),
	 .least = 1,
	 .most = 100000,
	 .traits = OPTION_NUMBER},
	{.name = "route",
	 .placeholder = "PATTERN",
	 .help = "A route that is known beforehand, such as \"GET /users/{id}/orders/{order}\"; "
		 "the "
		 "method may be left out, a {*} at the end stands for all that follows. May be "
		 "given again; a comma separates several. In the file: an array, or an object from "
		 "service to array.",
	 .takes =
		 "[METHOD] /PATH with {name} for a whole segment, such as GET /users/{id}; at most "
		 "256 of them",
	 .set = set_routes,
	 .traits = OPTION_LIST},
	{.name = "series-ttl",
	 .placeholder = "DURATION",
	 .fallback = "0",
	 .help = "Forget the series of a process that has been gone for this long; 0 keeps them.",
	 .takes = "0 or a duration such as 10m, 1h30m or 500ms",
	 .set = set_duration,
	 .offset = MEMBER(series_ttl_ns),
	 .traits = OPTION_NUMBER},
	{.name = "websocket-reconnect-window",
	 .placeholder = "DURATION",
	 .fallback = "30s",
	 .help = "A client that opens a WebSocket to a service this soon after its last one closed "
		 "reconnects; 0 counts no reconnects.",
	 .takes = "0 or a duration such as 10s, 2m or 500ms",
	 .set = set_duration,
	 .offset = MEMBER(websocket_reconnect_ns),
	 .traits = OPTION_NUMBER},
	{.name = "websocket-progress",
	 .placeholder = "DURATION",
	 .fallback = "0",
	 .help = "A log line for each WebSocket that is open, again after each such time; 0 writes "
		 "none.",
	 .takes = "0 or a duration such as 10m, 1h30m or 500ms",
	 .set = set_duration,
	 .offset = MEMBER(websocket_progress_ns),
	 .traits = OPTION_NUMBER},
	{.name = "queue-time",
	 .fallback = "false",
	 .help = "Measure how long requests wait in their socket until the server reads them "
		 "(http_server_request_queue_seconds).",
	 .takes = "true or false",
	 .set = set_flag,
	 .offset = MEMBER(queue_time),
	 .traits = OPTION_FLAG},
	{.name = "connections-max",
	 .placeholder = "N",
	 .fallback = "65536",
	 .help = "Connections followed at once.",
	 .set = set_number,
	 .offset = MEMBER(connections_max),
	 .least = 64,
	 .most = 1000000,
	 .traits = OPTION_NUMBER},
	{.name = "log-level",
	 .placeholder = "LEVEL",
	 .fallback = "info",
	 .help = "The agent's own diagnostics on stderr: debug, info, warn or error.",
	 .takes = "debug, info, warn or error",
	 .set = set_log_level},
	{.name = "bpf-stats",
	 .fallback = "false",
	 .help = "Measure the time that each BPF program takes.",
	 .takes = "true or false",
	 .set = set_flag,
	 .offset = MEMBER(bpf_stats),
	 .traits = OPTION_FLAG},
	{.name = "btf",
	 .placeholder = "FILE",
	 .help = "Kernel types (BTF) from a file in place of /sys/kernel/btf/vmlinux; the kernel "
		 "must have been built with its own, too.",
	 .takes = "a file's path",
	 .set = set_text,
	 .offset = MEMBER(btf)},
	{.name = "node",
	 .placeholder = "NAME",
	 .help = "Name of this node: in log lines, and behind the names of its static pods.",
	 .takes = "a name",
	 .set = set_text,
	 .offset = MEMBER(node),
	 .twin = "NODE_NAME"},
	{.name = "kube",
	 .placeholder = "SOURCE",
	 .fallback = "files",
	 .help = "Where names of pods come from: files, the names of the kubelet's log folders; "
		 "api, the Kubernetes API, and those where it is silent; off.",
	 .takes = "off, files or api",
	 .set = set_kube},
	{.name = "kube-logs",
	 .placeholder = "DIR",
	 .fallback = "/var/log",
	 .help = "The folder in which the kubelet has pods/ and containers/.",
	 .takes = "a folder's path",
	 .set = set_text,
	 .offset = MEMBER(kube_logs)},
	{.name = "kube-account",
	 .placeholder = "DIR",
	 .fallback = "/var/run/secrets/kubernetes.io/serviceaccount",
	 .help = "The folder of the service account's token and ca.crt, for --kube=api.",
	 .takes = "a folder's path",
	 .set = set_text,
	 .offset = MEMBER(kube_account)},
	{.name = "service-label",
	 .placeholder = "KEY",
	 .help = "With --kube=api: a pod's label whose value, where there is one, is its service's "
		 "name, such as app.kubernetes.io/name.",
	 .takes = "a label's key",
	 .set = set_text,
	 .offset = MEMBER(service_label)},
	{.name = "json",
	 .fallback = "false",
	 .help = "`sonde check` writes one JSON object.",
	 .takes = "given without a value, with sonde check",
	 .set = set_flag,
	 .offset = MEMBER(json),
	 .traits = OPTION_FLAG | OPTION_LINE_ONLY},
	{.name = "help",
	 .help = "This text; --help=markdown prints it as a Markdown table.",
	 .takes = "given alone or as --help=markdown",
	 .set = set_help,
	 .traits = OPTION_FLAG | OPTION_LINE_ONLY},
	{.name = "version",
	 .help = "The version.",
	 .takes = "given without a value",
	 .set = set_version,
	 .traits = OPTION_FLAG | OPTION_LINE_ONLY},
};

const struct command_word command_words[COMMAND_COUNT] = {
	{"run", COMMAND_RUN, "Trace this node (the default)."},
	{"check", COMMAND_CHECK, "Say what would work on this machine, without starting."},
	{"version", COMMAND_VERSION, "Print the version."},
	{"help", COMMAND_HELP, "Print this text."},
};

const struct option_row *option_find(struct str name)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (str_eq(str_of(option_rows[i].name), name))
			return &option_rows[i];
	return NULL;
}

size_t option_twin(const struct option_row *row, char *name, size_t size)
{
	int n = snprintf(name, size, "SONDE_%s", row->name);

	for (char *p = name; *p; p++)
		*p = (char)(*p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	return (size_t)n;
}
