/* SPDX-License-Identifier: Apache-2.0 */
/* The page at `/`: what runs here, where to look, and the busiest services. */
#ifndef SONDE_PAGE_H
#define SONDE_PAGE_H

#include "base/buf.h"

struct metrics;

struct page {
	const char *version;
	const char *backend;
	bool ready;
	const struct metrics *metrics;
};

void page_write(const struct page *page, struct buf *html);

#endif
