#!/bin/sh
# build.sh OUT.so [EXTRA g++ FLAGS...]: the emulated driver with all kernels of cuda/*.cu.
#
# Objects go to $EMU_OBJ (default: bin/emu-obj), in a folder for each set of flags, and are made anew only when a source or header
# is newer. $EMU_KERNELS: other .cu files than cuda/*.cu. $CUDA_HOME: where include/cuda.h is (default: that of .tools).
# g++ is $CXX. The flags are for the kernels; with sanitizers only these are instrumented.
set -eu
test $# -ge 1 || { echo "usage: build.sh OUT.so [g++ flags]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
shift
kernels=
for f in ${EMU_KERNELS:-"$root"/cuda/*.cu}; do
  case $f in /*) ;; *) f=$PWD/$f ;; esac
  kernels="$kernels $f"
done
name=$(printf '%s' "plain$*" | tr -c 'A-Za-z0-9\n' _)
obj=${EMU_OBJ:-$root/bin/emu-obj}
mkdir -p "$obj"
# One build at a time, for they share objects: all that have one file $EMU_LOCK.
if command -v flock >/dev/null; then
  exec 9>"${EMU_LOCK:-$obj/lock}"
  flock 9
fi
make --no-print-directory -s -f "$here/emu.mk" HERE="$here" ROOT="$root" OUT="$out" OBJ="$obj/$name" CUDA_HOME="${CUDA_HOME:-$root/.tools/cuda/nvidia/cu13}" \
  EXTRA="$*" KERNELS="$kernels" CXX="${CXX:-g++}" -j"${EMU_JOBS:-2}" "$out"
