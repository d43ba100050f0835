/* SPDX-License-Identifier: Apache-2.0 */
/* In place of api.c where there is no libcurl: says so, and there is nothing else to do. */
#include <stdio.h>

#include "who/api.h"

struct api *api_new(const struct api_options *options, char *why, size_t size)
{
	(void)options;
	snprintf(why, size, "this build of sonde has no libcurl (it was made with CURL=0)");
	return NULL;
}

void api_free(struct api *a)
{
	(void)a;
}

struct api_news *api_take(struct api *a)
{
	(void)a;
	return NULL;
}

const struct follow_stats *api_stats(const struct api *a)
{
	(void)a;
	return NULL;
}
