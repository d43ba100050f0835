#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the kernel types that bpf/ uses to stdout, from a BTF file (default: the running kernel's).
# usage: vmlinux/extract.sh [BTF] ; see types for the list and README.md for the why.
set -eu
btf=${1:-/sys/kernel/btf/vmlinux}
here=$(dirname "$0")
full=$(mktemp)
trap 'rm -f "$full"' EXIT
bpftool btf dump file "$btf" format c >"$full"
echo '/* SPDX-License-Identifier: GPL-2.0-only */'
echo '/* Written by vmlinux/extract.sh from a kernel'\''s BTF; change vmlinux/types instead. */'
echo
awk -f "$here/extract.awk" "$here/types" "$full"
