#!/bin/sh
# nvcc.sh NVCC LINT X.cu OUT.fatbin: the kernels of a file for each architecture, and PTX for later ones. make and CMake call it: nvcc's
# flags stand nowhere else. There is no fatbin if a kernel spills, or if LINT, which is cuda/lint, finds something in the
# PTX of any architecture; that stays in bin/ptx/X.
set -eu
test $# = 4 || { echo "usage: nvcc.sh NVCC LINT X.cu OUT.fatbin" >&2; exit 2; }
nvcc=$1 lint=$2 source=$3 out=$4
test -x "$nvcc" || { echo "no nvcc${nvcc:+ at $nvcc}: set NVCC, or run make cuda-toolkit" >&2; exit 1; }
name=$(basename "$source" .cu)
ptx=$(cd "$(dirname "$0")/.." && pwd)/bin/ptx/$name
rm -rf "$ptx"
mkdir -p "$ptx/kept" "$(dirname "$out")"

# Each rounding as it is written, none left out, nothing approximated or flushed.
"$nvcc" -O3 -std=c++17 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true \
  -gencode 'arch=compute_80,code=[sm_80,compute_80]' -gencode arch=compute_90a,code=sm_90a \
  -gencode arch=compute_100,code=sm_100 -gencode arch=compute_120,code=sm_120 \
  -Xptxas -warn-spills,-warn-lmem-usage,-Werror \
  --keep --keep-dir "$ptx/kept" -fatbin -o "$ptx/fatbin" "$source"
mv "$ptx"/kept/*.ptx "$ptx"
rm -r "$ptx/kept"
"$lint" "$ptx"/*.ptx
mv "$ptx/fatbin" "$out"
