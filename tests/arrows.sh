#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves the arrow law of the design (section 3) from the #include lines, and the size of files.
# Prints each violation as file:line and ends with 1 if there was one. Usage: tests/arrows.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

LINES_MAX=400

# Room (a prefix of the path) and what its files may include, as an extended regular expression.
# The first row that fits counts. Quoted names stand as they are, angle brackets are kept.
rooms() {
	cat <<'TABLE'
bpf/event.h      ^<linux/types\.h>$
bpf/             ^(event\.h|vmlinux\.h|[a-z0-9_]+\.bpf\.h|<bpf/bpf_[a-z_]+\.h>)$
user/base/       ^(base/.*|<.*>)$
user/proto/      ^((base|proto)/.*|<.*>)$
user/flow/(request|websocket)\.h$ ^(base/.*|flow/request\.h|event\.h|<.*>)$
user/flow/       ^((base|proto|flow)/.*|event\.h|<.*>)$
user/kern/       ^((base|kern)/.*|proto/(protos?|rows)\.h|event\.h|sonde(_old)?\.skel\.h|<.*>)$
user/who/        ^((base|who)/.*|flow/request\.h|proto/proto\.h|<.*>)$
user/out/        ^((base|out)/.*|flow/(request|websocket)\.h|proto/(proto|websocket)\.h|<.*>)$
user/[a-z_]+\.[ch]$ .
TABLE
}

# Libraries that belong to one room only.
libraries() {
	cat <<'TABLE'
^<bpf/           ^(bpf|user/kern)/
^<microhttpd     ^user/out/
^<jansson        ^user/(who/|[a-z_]+\.c$)
^<curl           ^user/who/
^<nettle         ^user/flow/
TABLE
}

includes() {
	find bpf user \( -name '*.c' -o -name '*.h' \) -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} +
}

check_includes() {
	{
		rooms | sed 's/^/room /'
		libraries | sed 's/^/library /'
		includes | sed 's/^/line /'
	} | awk '
	BEGIN { rooms = libraries = 0 }
	$1 == "room" { prefix[rooms] = "^" $2; allowed[rooms++] = $3; next }
	$1 == "library" { library[libraries] = $2; owner[libraries++] = $3; next }
	function fault(why) { print place ": " why ": " what; bad = 1 }
	{
		sub(/^line /, "")
		split($0, at, ":")
		file = at[1]
		place = at[1] ":" at[2]
		match($0, /"[^"]*"|<[^>]*>/)
		what = substr($0, RSTART, RLENGTH)
		gsub(/"/, "", what)
		for (i = 0; i < libraries; i++)
			if (what ~ library[i] && file !~ owner[i])
				fault("this library is not of this room")
		for (i = 0; i < rooms; i++)
			if (file ~ prefix[i]) {
				if (what !~ allowed[i])
					fault("an arrow the wrong way")
				next
			}
		fault("no room has this file")
	}
	END { exit bad }'
}

check_sizes() {
	find bpf user tests -type f \( -name '*.c' -o -name '*.h' -o -name '*.py' -o -name '*.sh' \
		-o -name '*.js' -o -name run \) -exec awk -v max="$LINES_MAX" '
		FNR == max + 1 { print FILENAME ":" FNR ": the file is over " max " lines"; bad = 1 }
		END { exit bad }' {} +
}

status=0
check_includes || status=1
check_sizes || status=1
[ "$status" -ne 0 ] || echo "arrows: all point the right way"
exit "$status"
