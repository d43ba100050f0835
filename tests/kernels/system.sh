#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What core.sh and cost.sh share: a guest's start and end, the agent, tools that obey lines. They judge nothing:
# what the tools counted, and what the agent said, goes out through the console as one archive.
export PATH=/bin
address=127.0.0.1:9435
out=/out
agent=
# shellcheck disable=SC2034 # told by eval
first= # line of the tool that was started last
# shellcheck disable=SC2034
heard= # line that was heard last

start_system() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	mount -t tmpfs tmp /tmp
	mount -t bpf bpf /sys/fs/bpf
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t securityfs security /sys/kernel/security
	mount -t tracefs trace /sys/kernel/tracing
	ip link set lo up
	dmesg -n 1
	mkdir -p $out
	programs >$out/programs
}

say() { # WORDS: of how far it has come
	echo "GUEST $(cut -d' ' -f1 /proc/uptime) $*"
}

metrics() { # FILE
	wget -q -O "$1" http://$address/metrics
}

agent_start() { # FOLDER PROGRAM OPTION...
	here=$1
	program=$2
	shift 2
	mkdir -p "$here"
	BUDGET=$here/budget "$program" run --listen=$address "$@" >"$here/lines" 2>"$here/said" &
	agent=$!
	while kill -0 "$agent" 2>/dev/null; do
		wget -q -O /dev/null http://$address/readyz 2>/dev/null && return 0
		sleep 0.2
	done
	wait "$agent"
	echo $? >"$here/refused"
	return 1
}

agent_stop() { # FOLDER
	kill -TERM "$agent"
	wait "$agent"
	echo $? >"$1/exit"
	for _ in $(seq 100); do # the kernel frees them when it has the time
		programs >"$1/programs_after"
		[ "$(wc -l <"$1/programs_after")" = "$(wc -l <$out/programs)" ] && break
		sleep 0.1
	done
}

# A tool that takes lines on stdin and answers each with one line: tool NAME FD COMMAND...
tool() {
	name=$1
	fd=$2
	shift 2
	rm -f "/tmp/$name.in" "/tmp/$name.out"
	mkfifo "/tmp/$name.in" "/tmp/$name.out"
	OTEL_SERVICE_NAME=$name steady "$@" <"/tmp/$name.in" >"/tmp/$name.out" &
	eval "exec $fd>/tmp/$name.in $((fd + 1))</tmp/$name.out"
	eval "read -r first <&$((fd + 1))"
}

tell() { # FD LINE
	eval "echo '$2' >&$1"
}

hear() { # FD
	eval "read -r heard <&$(($1 + 1))"
}

ask() { # FD LINE
	tell "$1" "$2"
	hear "$1"
}

tool_end() { # FD
	eval "exec $1>&- $(($1 + 1))<&-"
}

# Waits until what the agent has counted under this expression is the number; the host says if it never was.
settle() { # EXPRESSION NUMBER FILE
	for _ in $(seq 150); do
		metrics "$3"
		now=$(awk -v e="$1" '$0 ~ e { n += $NF } END { print n + 0 }' "$3")
		[ "$now" = "$2" ] && break
		sleep 0.2
	done
	sleep 1 # what would come too much
	metrics "$3"
}

# Sum of the counts whose name has this form, of a line `name=count,name=count`.
sum() { # EXPRESSION
	awk -v e="$1" 'BEGIN { RS = ","; FS = "=" } $1 ~ e { n += $2 } END { print n + 0 }'
}

finish() {
	dmesg >$out/dmesg
	echo "GUEST begin"
	tar -c -z -C $out . | base64
	echo "GUEST end"
	poweroff -f
	sleep 60
}
