#!/usr/bin/env bash
# Fuzzes one target: fuzz.sh GO PACKAGE TARGET TIME. On a busy machine go test may call it a failure that a worker was still at an input
# when the time was up ("context deadline exceeded", with no input that fails): then it is fuzzed once more.
set -uo pipefail
go=$1 package=$2 target=$3 time=$4
echo "$target of $package"
fuzz() { "$go" test -run xxx -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "./$package" 2>&1 | tee "$log"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fuzz && exit
grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log" || exit 1
echo "once more: the time was up in the midst of an input"
fuzz
