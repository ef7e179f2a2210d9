#!/bin/bash
# The conformance suite of package gpu on the emulated driver: in each order of threads and blocks, and with the kernels checked
# by each sanitizer; with PART=K/3 in the Kth order and by the Kth sanitizer alone. Two runs at a time; a line for each. Needs the environment of `make env` (test-emu gives it), $GO, $CUDA_HOME.
#
# Sanitizers get the tests of kernels alone: others make faults on purpose, which end the process there. ThreadSanitizer gets a few
# cases of each kernel (-few): with all of them it takes an hour. The suite fails if a kernel has none. Under it Go sends no signals that
# preempt a thread (GODEBUG): ThreadSanitizer may hand one over on the stack of a fiber, which ends the process. A sanitizer that g++ lacks
# is skipped by name, unless REQUIRE names it, such as REQUIRE=thread.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/bin
status=0
unset LOCKSTEP_EMU_ORDER LOCKSTEP_EMU_MEMORY LOCKSTEP_EMU_DEVICES LOCKSTEP_EMU_FAIL LOCKSTEP_EMU_CALLS LOCKSTEP_CUDA_EXECUTOR

"$here/build.sh" "$bin/libcuda-emu.so"
(cd "$root" && ${GO:-go} test -c -tags cuda -o "$bin/gpu.test" ./gpu)

# run NAME DRIVER ENVIRONMENT... -- ARGUMENTS...: the suite, in the package's folder, as go test runs it
run() {
  local name=$1 driver=$2 start=$SECONDS env=()
  shift 2
  while [ "$1" != -- ]; do env+=("$1"); shift; done
  shift
  if (cd "$root/gpu" && env "${env[@]}" LOCKSTEP_CUDA_DRIVER="$driver" REQUIRE=cuda $prefix "$bin/gpu.test" "$@") >"$bin/gpu-$name.log" 2>&1; then
    echo "conformance, $name: ok ($((SECONDS - start))s)"
  else
    tail -40 "$bin/gpu-$name.log"
    echo "FAIL conformance, $name"
    return 1
  fi
}

# sanitizer NAME LIBRARY: its driver, or a line that it is skipped
sanitizer() {
  local name=$1 flags=-fsanitize=$1
  [ "$name" = undefined ] && flags="$flags -fno-sanitize-recover=undefined"
  # shellcheck disable=SC2086
  if ! echo 'int main() {}' | ${CXX:-g++} $flags -x c++ -o "$bin/sanitizer-probe" - 2>/dev/null || { [ "$name" = thread ] && ! setarch -R true; }; then
    case ,${REQUIRE:-}, in *,"$name",*) echo "FAIL: REQUIRE names $name, and ${CXX:-g++} cannot do it"; exit 1 ;; esac
    echo "SKIPPED: ${CXX:-g++} here has no -fsanitize=$name, or no setarch -R to run it"
    return 1
  fi
  # shellcheck disable=SC2086
  "$here/build.sh" "$bin/libcuda-emu-$name.so" $flags
}

pair() { # both jobs, or the failure of either
  wait "$1" || status=1
  [ -z "${2:-}" ] || wait "$2" || status=1
}

case ${PART:=all} in
all | 1/3 | 2/3 | 3/3) ;;
*) echo "PART=$PART: want 1/3, 2/3 or 3/3"; exit 2 ;;
esac
part() { [ "$PART" = all ] || [ "$PART" = "$1/3" ]; }

kernels='-test.run=Conformance|PeakKernels'
prefix= jobs=()
start() { # two jobs at a time
  if [ ${#jobs[@]} = 2 ]; then
    pair "${jobs[@]}"
    jobs=()
  fi
  run "$@" &
  jobs+=($!)
}
part 1 && start forward "$bin/libcuda-emu.so" LOCKSTEP_EMU_ORDER=forward --
part 2 && start reverse "$bin/libcuda-emu.so" LOCKSTEP_EMU_ORDER=reverse --
part 3 && start permuted "$bin/libcuda-emu.so" LOCKSTEP_EMU_ORDER=permuted --
if part 1 && sanitizer address; then
  start address "$bin/libcuda-emu-address.so" LD_PRELOAD="$(${CXX:-g++} -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:handle_segv=0 -- $kernels
fi
if part 2 && sanitizer undefined; then start undefined "$bin/libcuda-emu-undefined.so" UBSAN_OPTIONS=halt_on_error=1 -- $kernels; fi
if part 3 && sanitizer thread; then
  prefix="setarch -R"
  start thread "$bin/libcuda-emu-thread.so" LD_PRELOAD="$(${CXX:-g++} -print-file-name=libtsan.so)" TSAN_OPTIONS=halt_on_error=1 GODEBUG=asyncpreemptoff=1 -- $kernels -few 4
fi
[ ${#jobs[@]} = 0 ] || pair "${jobs[@]}"
rm -f "$bin/sanitizer-probe"
exit $status
