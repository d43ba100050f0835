/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table row an option (name, placeholder, default, help, what it sets), from
 * which parsing, the environment twins SONDE_LONG_NAME, --help and the README's table come. Order:
 * option over environment over config file over default. Constant after options_parse().
 */
#ifndef SONDE_OPTIONS_H
#define SONDE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "base/log.h"
#include "flow/route.h"
#include "flow/user.h"
#include "who/who.h"

enum kube_source { KUBE_OFF, KUBE_FILES, KUBE_API };

enum command { COMMAND_RUN, COMMAND_CHECK, COMMAND_VERSION, COMMAND_HELP };

struct options {
	enum command command;
	enum log_level log_level;
	const char *listen;	   /* 0.0.0.0:9435 */
	const char *config;	   /* NULL: none */
	const char *backend;	   /* auto, sock, fexit or syscall */
	const char *btf;	   /* NULL: the kernel's own */
	const char *node;	   /* NODE_NAME, or NULL */
	const char *kube_logs;	   /* the folder above the kubelet's pods/ and containers/ */
	const char *kube_account;  /* the folder of the service account's token and ca.crt */
	const char *service_label; /* or NULL */
	uint64_t log_slow_ns;
	uint64_t log_fields;		 /* JSONLOG_BIT() each; 0: all */
	uint64_t series_ttl_ns;		 /* 0: keep */
	uint64_t websocket_reconnect_ns; /* 0: reconnects are not looked for */
	uint64_t websocket_progress_ns;	 /* 0: no such lines */
	uint32_t detail;		 /* enum event_detail */
	uint32_t log_sample;		 /* millionths */
	uint32_t log_rate;		 /* lines a second; 0: no bound */
	uint32_t ring_size;		 /* bytes, a power of two */
	uint32_t capture_bytes;		 /* 64 to EVENT_CAPTURE_MAX */
	uint32_t connections_max;
	uint32_t series_max, routes_max;
	enum kube_source kube;
	unsigned log_header_count;
	unsigned service_count;
	unsigned route_count;
	struct str log_headers[REQUEST_HEADERS_MAX];
	struct who_service_rule *services;
	struct route_rule *routes;
	struct user_options user;
	const char *user_key_file; /* NULL: a key of this start */
	char *user_key;		   /* what user.key stands in */
	void *memory;		   /* what the strings stand in */
	bool queue_time;
	bool bpf_stats;
	bool json;     /* `sonde check` */
	bool markdown; /* --help=markdown: the README's table */
};

/* 0, or -EINVAL after one line on stderr that names the option and what it takes. */
int options_parse(struct options *o, int argc, char **argv, char **env);
void options_free(struct options *o);
void options_help(bool markdown); /* stdout */

#endif
