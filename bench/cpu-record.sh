#!/usr/bin/env bash
# A record of this CPU: the full suite with every variant of kernels that it has, each variant against the laws, the functions
# over all inputs, and speed beside the machine's peaks. Takes some fifteen minutes. Run it from a clean commit: make cpu-record
set -euo pipefail
cd "$(dirname "$0")/.."
lockstep=bin/lockstep
changes=$(git status --porcelain)
[ -z "$changes" ] || { echo "cpu-record: there are changes that are not committed; a record is of a commit" >&2; exit 1; }

variants=$($lockstep devices --json | sed 's/.*"cpu":\[\([^]]*\)\].*/\1/; s/"//g')
vectors=$(tr ',' '\n' <<<"$variants" | grep -vx -e go -e law || true)
model=$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | tr -cs 'A-Za-z0-9\n' - | sed 's/^-//;s/-$//')
file=bench/results/$(date +%F)-$model-$(head -1 <<<"${vectors:-plain}").txt
mkdir -p bench/results
ops=$($lockstep op list)
functions=$($lockstep verify --exhaustive --list | awk '{print $2}') # such as exp, and cast_f32_i32 of the op cast

# serves tells whether an op has kernels of a variant.
serves() { grep "^$1 " <<<"$ops" | grep -qw "$2"; }

# served prints the functions whose op has kernels of a variant.
served() {
	local f
	for f in $functions; do
		if serves "${f%%_*}" "$1"; then echo "$f"; fi
	done
}

# run prints a command and what it prints. A failure ends the script, so nothing here may stand where bash takes a status for an
# answer: in a condition, or before || and &&.
run() {
	echo "\$ $*"
	"$@"
	echo
}

# What fails leaves FILE.part, and no FILE.
exec 3>&2
trap 'status=$?; [ $status = 0 ] || { tail -20 "$file.part"; echo "cpu-record: failed; what it printed is in $file.part"; } >&3; exit $status' EXIT
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
		some=$(served "$v")
		if [ -n "$some" ]; then
			run $lockstep verify --exhaustive --variant "$v" $some
		fi
	done
	for v in $vectors; do
		if serves matmul "$v"; then
			run $lockstep bench --device cpu --variant "$v" --time 300ms 'matmul/(512|64x64x64|32x32x32|128)' exp gelu sum xent normal
		fi
		if serves ternarymm "$v"; then
			run $lockstep bench --device cpu --variant "$v" --time 300ms 'ternarymm.*d125-D8970'
		fi
	done
	run $lockstep bench --device cpu --variant "$variants" train sweep
	for v in $(printf '%s\n' "$variants" avx2,go,law | sort -u); do # what the size of a pack is worth to a cell
		grep -q avx2 <<<"$variants" || continue
		run $lockstep bench --device cpu --variant "$v" --threads 1 --time 15s --count 3 packs
	done
	echo "complete"
} >"$file.part" 2>&1
mv "$file.part" "$file"
echo "wrote $file"
