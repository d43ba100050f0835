/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names come from command lines, environments and files that anybody may write. What leaves who/ is
 * bounded, valid UTF-8 and free of control characters.
 */
#ifndef SONDE_NAME_H
#define SONDE_NAME_H

#include "base/str.h"

#define NAME_SIZE    128 /* of a service's name, NUL included */
#define PROGRAM_SIZE 64	 /* of a program's name, NUL included */

/*
 * Copies what fits in size - 1 bytes and ends it with NUL; returns its length. Bytes that are no
 * UTF-8 and control characters become '_'; a character that does not fit whole ends the copy.
 */
size_t name_copy(char *to, size_t size, struct str s);

/* Of at most size - 1 letters, digits and '-', as Kubernetes names things; dots: also '.'. */
bool name_is_dns(struct str s, size_t size, bool dots);

#endif
