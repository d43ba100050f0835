/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signatures of all protocols as numbered rows, the same for the kernel half and for whoever
 * reads its records. Row 0 is the kernel's own rule: any token method, of the first line protocol.
 */
#ifndef SONDE_ROWS_H
#define SONDE_ROWS_H

#include "proto/protos.h"

/* Row `row`, from 1; NULL past the last. protocol: its number in protos[]. */
const struct signature *proto_row(unsigned row, enum proto_number *protocol);

struct str proto_row_op(unsigned row); /* the operation that it proves; absent if none */

#endif
