#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image_libraries.sh FOLDER PROGRAM: puts beside the program, whose path in that folder it is, each library that it
# needs, under the name that it is asked for. Nothing is run, so it may be of any architecture.
set -eu
folder=${1:?usage: image_libraries.sh FOLDER PROGRAM}
program=$folder${2:?usage: image_libraries.sh FOLDER PROGRAM}

needed() { # FILE: names of libraries, without the loader, which has a path of its own
	readelf -d "$1" | sed -n '/ld-linux/d; /(NEEDED)/s/.*\[\(.*\)\].*/\1/p'
}

take() { # FILE...: each, and what it needs
	for file in "$@"; do
		[ ! -e "$folder$file" ] || continue
		install -D "$file" "$folder$file"
		# shellcheck disable=SC2046 # a list of words
		take $(needed "$file" | sed "s|^|$from/|")
	done
}

loader=$(readelf -l "$program" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
case $loader in
*/ld-linux-x86-64.so.2) from=/lib/x86_64-linux-gnu ;;
*/ld-linux-aarch64.so.1) from=/lib/aarch64-linux-gnu ;;
*) echo "image_libraries.sh: where are the libraries of $loader?" >&2 && exit 1 ;;
esac
# shellcheck disable=SC2046
take "$loader" $(needed "$program" | sed "s|^|$from/|")
