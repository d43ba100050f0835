/* SPDX-License-Identifier: Apache-2.0 */
/* What a client takes, by its Accept and Accept-Encoding headers with their q-values. Pure. */
#ifndef SONDE_ACCEPT_H
#define SONDE_ACCEPT_H

#include "out/prom.h"

/* Text unless OpenMetrics is named and liked no less: a client that says nothing gets text. */
enum prom_format accept_format(struct str accept);
bool accept_gzip(struct str accept_encoding);

#endif
