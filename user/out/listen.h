/* SPDX-License-Identifier: Apache-2.0 */
/* A listening TCP socket from its text: ADDR:PORT, [v6]:PORT, or :PORT for all addresses. */
#ifndef SONDE_LISTEN_H
#define SONDE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

bool listen_is_address(const char *text); /* only its form */

/* The descriptor, or -errno after one line in error[] that says what to do. */
int listen_open(const char *text, char *error, size_t error_size);

#endif
