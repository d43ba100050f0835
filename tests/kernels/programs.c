/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the name of each BPF program that the kernel has loaded, one a line, with the number of
 * times that it did not run because it was running already on that processor.
 */
#include <stdio.h>
#include <unistd.h>
#include <bpf/bpf.h>

int main(void)
{
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &size))
			printf("%s %llu\n", info.name, (unsigned long long)info.recursion_misses);
		close(fd);
	}
	return 0;
}
