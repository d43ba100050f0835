/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows are counted through all protocols in the order of protos.h. Nothing is built or kept: the
 * tables are a dozen rows, and whoever asks often keeps the answer.
 */
#include "proto/rows.h"

const struct signature *proto_row(unsigned row, enum proto_number *protocol)
{
	if (row < 1)
		return NULL;
	row--;
	for (int i = 0; i < PROTO_COUNT; i++) {
		if (row < protos[i]->signature_count) {
			*protocol = (enum proto_number)i;
			return &protos[i]->signatures[row];
		}
		row -= protos[i]->signature_count;
	}
	return NULL;
}

struct str proto_row_op(unsigned row)
{
	enum proto_number protocol;
	const struct signature *s = proto_row(row, &protocol);

	return str_of(s ? s->op : NULL);
}
