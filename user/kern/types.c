/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel types from a file, in place of the kernel's own (--btf). Offsets that the programs use
 * come from there, and the kernel cannot tell that they are wrong: it would hand out other members.
 * So where the kernel has types too, each member of a structure that bpf/ names must stand at the
 * same place in both. Refused are files that are not BTF, and those of another kernel.
 *
 * The invariant: a file that leaves structures out, as one made by `bpftool gen min_core_btf` does,
 * is as good as a whole one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/btf.h>

#include "kern/object.h"

static const struct btf_type *struct_named(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
}

/* In bits; -1 if it has none of that name. */
static long member_offset(const struct btf *btf, const struct btf_type *type, const char *name)
{
	for (__u32 i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name))
			return btf_member_bit_offset(type, i);
	return -1;
}

/* The first member of a structure that stands elsewhere in the file; NULL: none does. */
static const char *moved_member(const struct btf *ours, const struct btf_type *used,
				const struct btf *kernel, const struct btf *file)
{
	const char *name = btf__name_by_offset(ours, used->name_off);
	const struct btf_type *there = struct_named(kernel, name), *here = struct_named(file, name);

	if (!there || !here)
		return NULL;
	for (__u32 i = 0; i < btf_vlen(used); i++) {
		const char *member = btf__name_by_offset(ours, btf_members(used)[i].name_off);
		long right = member_offset(kernel, there, member);
		long given = member_offset(file, here, member);

		if (*member && right >= 0 && given >= 0 && right != given)
			return member;
	}
	return NULL;
}

static int compare(const char *path, const struct btf *ours, const struct btf *kernel,
		   const struct btf *file, char *why, size_t why_size)
{
	for (__u32 id = 1; id < btf__type_cnt(ours); id++) {
		const struct btf_type *type = btf__type_by_id(ours, id);
		const char *member = btf_is_struct(type) && type->name_off
					     ? moved_member(ours, type, kernel, file)
					     : NULL;

		if (!member)
			continue;
		snprintf(why, why_size,
			 "--btf=%s is of another kernel: %s stands elsewhere in its struct %s: "
			 "leave the option out, or give the types of this kernel",
			 path, member, btf__name_by_offset(ours, type->name_off));
		return -EINVAL;
	}
	return 0;
}

static int compare_with_kernel(const char *path, const struct btf *file, char *why, size_t why_size)
{
	struct btf *kernel = btf__parse(KERNEL_BTF, NULL);
	struct sonde *skel = kernel ? sonde__open() : NULL;
	int err = 0;

	if (skel)
		err = compare(path, bpf_object__btf(skel->obj), kernel, file, why, why_size);
	sonde__destroy(skel);
	btf__free(kernel);
	return err;
}

int kern_types_try(const char *path, char *why, size_t why_size)
{
	struct btf *file;
	int err = access(path, R_OK) ? -errno : 0;

	if (err) {
		snprintf(why, why_size, "--btf=%s: %s: give a readable BTF file of this kernel",
			 path, strerror(-err));
		return err;
	}
	file = btf__parse(path, NULL);
	if (!file) {
		err = -errno;
		snprintf(why, why_size,
			 "--btf=%s is not a BTF file: give a copy of " KERNEL_BTF
			 ", or an ELF file with a section .BTF",
			 path);
		return err;
	}
	err = compare_with_kernel(path, file, why, why_size);
	btf__free(file);
	return err;
}
