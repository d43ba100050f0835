#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Form and habits: clang-format, clang-tidy (a file at a time, on both cores), cppcheck, shellcheck, the
# arrow law, file lengths, and that each rule of tests/rules stands where it says. Silent where all is well; ends with the tally.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0

check() { # NAME COMMAND...
	name=$1
	shift
	if said=$("$@" 2>&1); then
		passed=$((passed + 1))
		printf '  ok   %s\n' "$name"
	else
		failed=$((failed + 1))
		printf '  FAIL %s\n%s\n' "$name" "$said"
	fi
}

sources=$(find user -name '*.c')
tests=$(find tests -name '*.c')

tidy() {
	# shellcheck disable=SC2086
	printf '%s\n' $sources | xargs -P 2 -I{} clang-tidy --quiet {} -- \
		-std=gnu11 -D_GNU_SOURCE '-DSONDE_VERSION=""' -Iuser -Ibpf -isystem .output
}

# shellcheck disable=SC2086,SC2046
{
	check clang-format clang-format --dry-run --Werror $(find user bpf tests -name '*.[ch]')
	check clang-tidy tidy
	check cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability --suppress=missingInclude \
		-D_GNU_SOURCE -DSONDE_VERSION='""' -Iuser -Ibpf \
		-D'LIBBPF_OPTS(TYPE,NAME,...)=struct TYPE NAME = {__VA_ARGS__}' \
		-D'bpf_object__for_each_program(P,O)=while((P=bpf_object__next_program(O,0)))' $sources $tests
	check shellcheck shellcheck $(git ls-files -co --exclude-standard '*.sh' .ci/run tests/unit/run tests/fuzz/run deploy/debian/build 'deploy/debian/p*')
	check arrows tests/arrows.sh
	check rules tests/rules/run --check
}

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
