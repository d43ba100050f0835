#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: the agent beside the tools of tests/live, once for each backend of /backends.
# shellcheck source=tests/kernels/system.sh
. /system.sh

http_open() { # FOLDER
	mkdir -p "$1"
	tool http-server 3 crowd_server 2
	tool http-client 5 crowd /guest 2 "$first"
}

http_close() { # FOLDER
	ask 5 close
	echo "$heard" >"$1/http-client"
	requests=$(echo "$heard" | sum ' ')
	opened=$(echo "$heard" | sum '^opened$')
	for _ in $(seq 100); do
		ask 3 ''
		[ "$(echo "$heard" | sum '^closed$')" = "$opened" ] && break
		sleep 0.1
	done
	echo "$heard" >"$1/http-server"
	settle '^http_(server|client)_request_duration_seconds_count.*service="http-' $((2 * requests)) "$1/http-metrics"
	tool_end 5
	tool_end 3
}

http() { # FOLDER
	http_open "$1"
	for line in 'open 4' 'ask 1' 'ask 1' 'ask 8' 'churn 2 20' 'ask 1'; do
		ask 5 "$line"
	done
	http_close "$1"
}

overflow() { # FOLDER
	http_open "$1"
	ask 5 'open 4'
	ask 5 'ask 1'
	kill -STOP "$agent"
	for _ in $(seq 100); do
		ask 5 'ask 1'
	done
	kill -CONT "$agent"
	ask 5 'ask 1'
	http_close "$1"
}

both() { # LINE
	tell 3 "$1"
	tell 5 "$1"
	hear 3
	hear 5
}

websocket() { # FOLDER
	mkdir -p "$1"
	tool ws-server 3 frames server 1 2
	tool ws-client 5 frames client 1 2 /guest "$first"
	ask 5 'open 20'
	both 'talk 6'
	both 'talk 6 torn'
	both 'ping 2'
	both ''
	for end in 5 3; do
		ask $end drop
		ask $end close
	done
	both ''
	sleep 0.5
	tell 3 ''
	hear 3
	echo "$heard" >"$1/ws-server"
	messages=$(echo "$heard" | sum '^messages')
	ask 5 ''
	echo "$heard" >"$1/ws-client"
	settle '^websocket_messages_total.*service="ws-' $((2 * messages)) "$1/ws-metrics"
	tool_end 5
	tool_end 3
}

core() { # BACKEND
	folder=$out/$1
	agent_start "$folder/plain" sonde "--backend=$1" || return
	programs >"$folder/plain/programs"
	say "$1 http"
	http "$folder/plain"
	say "$1 websocket"
	websocket "$folder/plain"
	agent_stop "$folder/plain"
	[ -e /short ] && return
	agent_start "$folder/overflow" sonde_budget "--backend=$1" --ring-size=64KiB --queue-time=true || return
	say "$1 overflow"
	overflow "$folder/overflow"
	agent_stop "$folder/overflow"
}

start_system
say up
uname -r >$out/release
if [ -e /short ]; then
	touch $out/short
else
	sonde check --json >$out/check.json
	echo $? >$out/check.status
fi
while read -r backend; do
	core "$backend" </dev/null
done </backends
finish
