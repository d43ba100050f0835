#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest whose instructions are written down: the loop of tests/bench beside the agent, or
# without it if /backends names none. What the kernel's addresses are called goes out through the console first.
# shellcheck source=tests/kernels/system.sh
. /system.sh

start_system
echo 0 >/proc/sys/kernel/kptr_restrict
echo 1 >/proc/sys/net/core/bpf_jit_kallsyms
read -r work backend </backends
[ -z "$backend" ] || agent_start $out/agent sonde "--backend=$backend" --log-sample=0 || finish
loop 0 0.05 "$work" >$out/warm
cp /proc/kallsyms $out/symbols
echo "GUEST begin"
tar -c -z -C $out . | base64
echo "GUEST end"
for _ in $(seq 40000); do # until the emulator writes it down
	true
done
echo "GUEST loop"
loop 0 1 "$work" >$out/traced
