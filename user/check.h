/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde check`: says on stdout what would work on this machine, as text or as JSON. */
#ifndef SONDE_CHECK_H
#define SONDE_CHECK_H

#include "options.h"

int check_run(const struct options *o); /* 0 if the main job would work */

#endif
