#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest whose clock counts instructions: the tools of tests/bench without the agent, with
# it on each backend of /backends, and without it again.
# shellcheck source=tests/kernels/system.sh
. /system.sh
seconds=1

agent_time() { # nanoseconds on the processor so far, of all threads
	cat /proc/$agent/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'
}

measure() { # FOLDER
	say "$1"
	mkdir -p "$1"
	for what in http plain frames; do
		[ -n "$agent" ] && agent_time >"$1/$what-agent"
		loop 0 $seconds $what >"$1/$what"
		[ -n "$agent" ] && sleep 0.5 && agent_time >>"$1/$what-agent"
	done
	syscalls 0 $seconds >"$1/calls"
}

start_system
agent=
measure $out/warm # a guest that has just begun is slower
measure $out/none
while read -r backend; do
	folder=$out/$backend
	agent_start "$folder" sonde "--backend=$backend" --log-sample=0 || continue
	measure "$folder"
	agent_stop "$folder"
	agent=
done </backends
measure $out/none-again
finish
