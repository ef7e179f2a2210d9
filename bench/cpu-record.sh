#!/usr/bin/env bash
# A record of this CPU: the full suite with every variant of kernels that it has, each variant against the laws, the functions
# over all inputs, and speed beside the machine's peaks. Takes some fifteen minutes. Run it from a clean commit: make cpu-record
set -euo pipefail
cd "$(dirname "$0")/.."
lockstep=bin/lockstep
[ -z "$(git status --porcelain)" ] || { echo "cpu-record: there are changes that are not committed; a record is of a commit" >&2; exit 1; }

variants=$($lockstep devices --json | sed 's/.*"cpu":\[\([^]]*\)\].*/\1/; s/"//g')
vectors=$(tr ',' '\n' <<<"$variants" | grep -vx -e go -e law || true)
model=$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | tr -cs 'A-Za-z0-9\n' - | sed 's/^-//;s/-$//')
file=bench/results/$(date +%F)-$model-$(head -1 <<<"${vectors:-plain}").txt
mkdir -p bench/results

# serves tells whether an op has kernels of a variant.
serves() { $lockstep op list | grep "^$1 " | grep -qw "$2"; }

# run prints a command and what it prints; a failure ends the record, which is then kept out of the way.
run() {
	echo "\$ $*"
	"$@"
	echo
}

{
	grep -m1 'model name' /proc/cpuinfo
	echo "features: $(grep -m1 flags /proc/cpuinfo | tr ' ' '\n' | grep -E '^(fma|bmi2|avx2|avx512|avx_vnni)' | tr '\n' ' ')"
	echo "processors: $(nproc)"
	go version
	echo "commit: $(git rev-parse HEAD)"
	echo "variants: $variants"
	echo
	run env REQUIRE="$(tr '\n' ',' <<<"$vectors" | sed 's/,$//')" go test -count=1 ./...
	for v in $vectors; do
		run $lockstep verify --variant "$v"
		if serves exp "$v"; then
			run $lockstep verify --exhaustive --variant "$v" exp log tanh sinpi cospi
		fi
	done
	for v in $vectors; do
		if serves matmul "$v"; then
			run $lockstep bench --device cpu --variant "$v" --time 300ms 'matmul/(512|64x64x64|32x32x32|128)' exp gelu sum xent normal
		fi
		run $lockstep bench --device cpu --variant "$v" --time 300ms 'ternarymm.*d125-D8970'
	done
	run $lockstep bench --device cpu --variant "$variants" train sweep
	echo "complete"
} >"$file.part" 2>&1 || { tail -20 "$file.part" >&2; echo "cpu-record: failed; what it printed is in $file.part" >&2; exit 1; }
mv "$file.part" "$file"
echo "wrote $file"
