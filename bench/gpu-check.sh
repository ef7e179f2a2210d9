#!/usr/bin/env bash
# What a card gives: the bits of the laws, sanitizers, digests, speed beside peers. For a machine with a card and its driver, and
# nothing else: no Go, no network, no root. What the machine lacks (compute-sanitizer, python3 with torch) is skipped by name.
#
#   bench/gpu-check.sh [--rehearse] [--record FILE] [PART...]
#
# FILE: JSON lines (lockstep/bench/record), to which each part appends as it runs, so that a cut leaves what is done; default:
# out/gpu-check/CARD.jsonl, or CARD-rehearsal.jsonl. Copy it into bench/results to publish it, but no rehearsal. PART...: run these;
# default: all that have not ended well in FILE with this binary on this card, rehearsed or not. Each part ends within ten minutes: where no command may take longer, name parts.
# LOCKSTEP: the binary that `make cuda` built; default bin/lockstep. --rehearse: small problems, for the emulated driver. Exit
# status: 1 if a part failed or was cut, 130 if somebody interrupted it.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
absolute() { case $1 in /*) echo "$1" ;; *) echo "$here/$1" ;; esac; }
self=bench/gpu-check.sh
lockstep=bin/lockstep
if [ -n "${LOCKSTEP-}" ]; then lockstep=$(absolute "$LOCKSTEP"); fi
case ${LOCKSTEP_CUDA_DRIVER-} in /* | "") ;; */*) LOCKSTEP_CUDA_DRIVER=$(absolute "$LOCKSTEP_CUDA_DRIVER") ;; esac
export LOCKSTEP=$lockstep PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
wanted=()
parts="devices verify memcheck racecheck memcheck-resident racecheck-resident exhaustive sweep-toy sweep-digits bench executors peers"

# both CARD SETTING...: the sweep on the card and on the CPU. Prints one JSON line with both digests and times.
both() {
	local study=$1 device start set=() digest=() ms=()
	for s in "${@:2}"; do set+=(--set "$s"); done
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
	for device in cuda cpu; do
		start=$(date +%s%N)
		"$lockstep" sweep run "studies/$study.toml" --device $device --out "$out/$device" ${set[@]+"${set[@]}"} >&2
		ms+=($((($(date +%s%N) - start) / 1000000)))
		digest+=("$("$lockstep" sweep digest "$out/$device")")
	done
	printf '{"study":"%s","settings":"%s","cuda":"%s","cpu":"%s","cuda_ms":%s,"cpu_ms":%s}\n' "$study" "${*:2}" "${digest[@]}" "${ms[@]}"
	[ "${digest[0]}" = "${digest[1]}" ] || { echo "$study: the card's digest is not the CPU's" >&2; return 1; }
}
if [ "${1-}" = --both ]; then
	both "${@:2}"
	exit
fi

# executors are those that the card has: not every one has clusters of blocks.
executors() {
	local e why
	for e in stream resident:1 resident:2 resident:4; do
		if why=$(LOCKSTEP_CUDA_EXECUTOR=$e "$lockstep" verify --device cuda:0 --few 1 relu 2>&1); then
			echo "$e"
		elif ! grep -q "clusters of blocks need" <<<"$why"; then
			echo "$why" >&2
			return 1
		fi
	done
}

# A few cases of each kernel, and training, by each executor. A line of JSON says which one those after it are of.
if [ "${1-}" = --executors ]; then
	all=$(executors)
	for e in $all; do
		echo "{\"executor\":\"$e\"}"
		LOCKSTEP_CUDA_EXECUTOR=$e "$lockstep" verify --device cuda:0 --few 6 --json
		LOCKSTEP_CUDA_EXECUTOR=$e "$lockstep" bench --device cuda:0 --json "${@:2}" train
	done
	exit
fi

small= # set: a rehearsal
record=
while [ $# -gt 0 ]; do
	case $1 in
	--rehearse) small=1 ;;
	--record)
		record=$(absolute "${2:?--record wants a file}")
		shift
		;;
	-*)
		echo "gpu-check: unknown flag $1; want --rehearse or --record FILE" >&2
		exit 2
		;;
	*)
		case " $parts " in *" $1 "*) ;; *)
			echo "gpu-check: no part is called $1; the parts are: $parts" >&2
			exit 2
			;;
		esac
		wanted+=("$1")
		;;
	esac
	shift
done
card=$("$lockstep" devices | sed -n 's/^cuda:0 \([^,]*\),.*/\1/p' | tr -cs 'A-Za-z0-9\n' -)
[ -n "$card" ] || { "$lockstep" devices >&2; exit 1; }
record=${record:-out/gpu-check/$card${small:+-rehearsal}.jsonl}
mkdir -p "$(dirname "$record")"
log=${record%.jsonl}.log # what the parts say beside their results
status=0

run() { # PART COMMAND...
	echo "== $1: ${*:2}"
	local rc=0
	"$lockstep" record --to "$record" --on "$card" ${small:+--small} --part "$1" --limit 9m -- "${@:2}" >>"$log" 2>&1 || rc=$?
	[ $rc = 0 ] || { status=1; tail -3 "$log" || true; }
	[ $rc != 130 ] || exit 130
}
skip() { "$lockstep" record --to "$record" --part "$1" --skip "$2"; } # PART WHY
# A few cases of each kernel under the tool of compute-sanitizer that the part is called after: by stream, each array an allocation of its own; or by
# resident, with two blocks a cell where the card has clusters.
sanitize() { # PART
	local with=LOCKSTEP_CUDA_BLOCKING=1 all
	if command -v compute-sanitizer >/dev/null; then
		case $1 in *-resident)
			all=$(executors) || { status=1; return; }
			with=LOCKSTEP_CUDA_EXECUTOR=$(grep -x 'resident:[12]' <<<"$all" | tail -1)
			;;
		esac
		run "$1" env "$with" compute-sanitizer --tool "${1%-resident}" --error-exitcode 1 "$lockstep" verify --device cuda:0 --few 6 --json
	else
		skip "$1" "no compute-sanitizer on this machine"
	fi
}

part() {
	case $1 in
	devices) run devices "$lockstep" devices --json ;;
	verify) run verify "$lockstep" verify --device cuda:0 --json ${small:+--few 6} ;;
	memcheck | racecheck | memcheck-resident | racecheck-resident) sanitize "$1" ;;
	exhaustive) run exhaustive "$lockstep" verify --device cuda:0 --exhaustive --json ${small:+--blocks 1 exp relu} ;;
	sweep-toy) run sweep-toy bash "$self" --both intrinsic-toy ${small:+steps=12} ;;
	sweep-digits) run sweep-digits bash "$self" --both intrinsic-digits ${small:+steps=3 seeds=[0,1] axes.width=[32] arms.subspace.axes.d=[10,50,300]} ;;
	bench) run bench "$lockstep" bench --device cuda:0 --json ${small:+--quick} ;;
	executors) run executors bash "$self" --executors ${small:+--quick} ;;
	peers)
		local why
		if why=$(python3 -c 'import torch' 2>&1); then
			"$lockstep" bench --list --json ${small:+--quick} matmul/ train >"$record.cases"
			run peers python3 bench/peers/torch_peer.py --cases "$record.cases" --compile ${small:+--device cpu --time 0.05}
			rm -f "$record.cases"
		else
			skip peers "python3 cannot import torch: ${why##*$'\n'}"
		fi
		;;
	esac
}

if [ ${#wanted[@]} = 0 ]; then
	done=" "
	if [ -e "$record" ]; then done=" $("$lockstep" record --to "$record" --on "$card" ${small:+--small} --done | tr '\n' ' ')"; fi
	for p in $parts; do
		case $done in *" $p "*) ;; *) wanted+=("$p") ;; esac
	done
fi
if [ ${#wanted[@]} = 0 ]; then echo "every part has ended well in $record"; fi
for p in ${wanted[@]+"${wanted[@]}"}; do part "$p"; done
"$lockstep" record --to "$record" --list
exit $status
