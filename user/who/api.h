/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes API as a source of pods' names, in a thread of its own: nothing that the API
 * server does or fails to do is ever waited for. A build without libcurl has api_none.c instead.
 */
#ifndef SONDE_API_H
#define SONDE_API_H

#include <stddef.h>

#include "who/follow.h"

struct api;

struct api_options {
	const char *account; /* folder of the service account's token and ca.crt */
	const char *node;    /* whose pods are followed */
	const char *label;   /* key of the label that names the service, or NULL */
	bool quiet;	     /* nothing is logged */
};

/* The server is that of KUBERNETES_SERVICE_HOST and _PORT. NULL after `why` was filled in. */
struct api *api_new(const struct api_options *options, char *why, size_t size);
void api_free(struct api *a); /* NULL-safe; at once, also while an answer is under way */

/* What has come since the last call, in order; NULL: nothing. The caller frees each with free(). */
struct api_news {
	struct api_news *next;
	struct pod_facts facts; /* only as far as pod_facts_size() says */
};
struct api_news *api_take(struct api *a);

const struct follow_stats *api_stats(const struct api *a);

#endif
