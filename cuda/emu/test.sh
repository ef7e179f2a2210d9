#!/bin/bash
# Tests of the emulator: builds it with the kernels of test/, runs each program of test/, then the mistakes that the sanitizers
# must report. About a minute on two cores. Build folder: $EMU_OBJ (default bin/emu-obj).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export EMU_OBJ=${EMU_OBJ:-$root/bin/emu-obj} EMU_KERNELS=$here/test/kernels.cu
CUDA_HOME=${CUDA_HOME:-$root/.tools/cuda/nvidia/cu13}
export CUDA_HOME
out=$EMU_OBJ/test
mkdir -p "$out"
unset LOCKSTEP_EMU_ORDER LOCKSTEP_EMU_MEMORY LOCKSTEP_EMU_DEVICES LOCKSTEP_EMU_VERSION LOCKSTEP_EMU_FAIL LOCKSTEP_EMU_CALLS
status=0

# build NAME FLAGS...: the emulator with the test kernels, and the test programs, in $out/NAME
build() {
  local dir=$out/$1 program
  shift
  mkdir -p "$dir"
  "$here/build.sh" "$dir/libcuda-emu.so" "$@"
  for program in $programs; do
    [ "$dir/$program" -nt "$here/test/$program.cpp" ] && [ "$dir/$program" -nt "$here/test/test.h" ] && continue
    echo "g++ -std=c++17 -O1 -g -Wall -Wextra $* ${*:+-DSANITIZED} -I$CUDA_HOME/include -o $dir/$program $here/test/$program.cpp $dir/libcuda-emu.so -Wl,-rpath,$dir -pthread"
  done | xargs -r -P2 -I{} sh -c '{}'
}

# run NAME PROGRAM: it must end well
run() {
  local name=$1
  shift
  if ! $prefix "$out/$name/$@" >"$out/log" 2>&1; then
    tail -40 "$out/log"
    echo "FAIL $name: $*"
    status=1
  fi
}

# reports NAME TEXT PROGRAM...: it must say TEXT.  silent NAME PROGRAM...: it must end well and say nothing
reports() {
  local name=$1 text=$2
  shift 2
  $prefix "$out/$name/$@" >"$out/log" 2>&1 || true
  if ! grep -qE "$text" "$out/log"; then
    tail -40 "$out/log"
    echo "FAIL $name: $* does not say: $text"
    status=1
  fi
}
silent() {
  local name=$1
  shift
  if ! $prefix "$out/$name/$@" >"$out/log" 2>&1 || [ "$(cat "$out/log")" != done ]; then
    tail -40 "$out/log"
    echo "FAIL $name: $* is not silent"
    status=1
  fi
}

prefix=
programs="kernels limits memory faults failures streams devices mistake"
build plain
for p in kernels limits memory faults failures streams devices; do run plain $p; done

export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=0
programs="kernels memory faults mistake"
build address -fsanitize=address
for p in kernels memory faults; do run address $p; done
reports address 'AddressSanitizer: .*poison|AddressSanitizer: heap' mistake write_at
reports address 'in write_at|kernels.cu' mistake write_at
reports address 'AddressSanitizer: heap-use-after-free' mistake after_free
reports address 'AddressSanitizer: use-after-poison' mistake shared_past_end
reports address 'AddressSanitizer: use-after-poison' mistake hand_on_early
silent address mistake turn
silent address mistake hand_on_right

programs="kernels mistake"
build undefined -fsanitize=undefined -fno-sanitize-recover=undefined
run undefined kernels
reports undefined 'kernels.cu:.*signed integer overflow' mistake overflow
silent undefined mistake turn

programs=mistake
build thread -fsanitize=thread
prefix="setarch -R"
for order in forward reverse permuted; do
  export LOCKSTEP_EMU_ORDER=$order
  reports thread 'data race' mistake turn_racy
  reports thread 'data race' mistake hand_on_racy
  reports thread 'data race' mistake staged_early
  reports thread 'data race' mistake blocks_race
  reports thread 'data race' mistake blocks_race_barrier
  reports thread 'data race' mistake blocks_race_shuffle
  reports thread 'data race' mistake ticket_bare
  silent thread mistake turn
  silent thread mistake turn_blocks
  silent thread mistake hand_on_right
  silent thread mistake staged_right
  silent thread mistake ticket_fenced
done

[ $status = 0 ] && echo "emulator: all tests pass"
exit $status
