#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs those of the named Debian packages that are missing; elsewhere names them and stops.
# usage: tests/packages.sh PACKAGE...
set -eu

missing=
here=$(dpkg --print-architecture 2>/dev/null || true)
for package in "$@"; do
	arch=$here
	case $package in *:*) arch=${package#*:} ;; esac
	if [ "$package" = make ] && command -v make >/dev/null; then continue; fi
	if [ "$package" = nodejs ] && command -v node >/dev/null; then continue; fi
	# a line for each architecture that it is there for
	dpkg-query -W -f '${Architecture} ${Status}\n' "$package" 2>/dev/null |
		grep -qE "^($arch|all) install ok installed$" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "sonde: this is not Debian; install what these Debian packages hold, then run make build:$missing" >&2
	exit 1
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words
if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	echo "sonde: apt-get could not install:$missing; see above, mend it, and run this again" >&2
	exit 1
fi
