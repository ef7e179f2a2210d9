package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// kernelFaults are planted in copies of cuda/: the emulated driver is built with the copy, and lockstep verify must find wrong
// bits, or the emulator a fault, in one of the orders of threads.
var kernelFaults = []struct {
	name, file, from, to string
	kernels, ops         string // files to compile, and what to verify
}{
	{"a barrier missing between a tile's stages", "matmul.cuh", "__syncthreads();  // also: nobody", "// also: nobody", "matmul", "matmul"},
	{"a barrier missing before the lanes of a column are added", "sum.cu", "    __syncthreads();\n", "\n", "sum", "sum"},
	{"a barrier missing after the largest entry", "ternarymm.cu", "  __syncthreads();\n", "\n", "ternarymm", "ternarymm"},
	{"a barrier missing before signs are read", "rademacher.cu", "  __syncthreads();\n", "\n", "rademacher", "rademacher"},
	{"a multiply-add contracted", "num.cuh", "return __fadd_rn(a, b);", "return __fmaf_rn(a, 1.0000001f, b);", "binary sum", "add sum"},
	{"a product rounded twice", "num.cuh", "return __fmaf_rn(a, b, c);", "return __fadd_rn(__fmul_rn(a, b), c);", "matmul unary", "matmul exp"},
	{"a shuffle whose mask leaves a lane out", "warp.cuh", "v = add(v, __shfl_xor_sync(0xffffffffu, v, h));", "v = add(v, __shfl_xor_sync(0x7fffffffu, v, h));", "sum", "sum"},
	{"an index past the end", "keep.cu", "i < a.words && (", "i < a.words + 9999 && (", "binary", "add"},
	{"a result that is not written whole", "fill.cu", "each_word(a.words, slot_of(a.out, blockIdx.y), [&]", "each_word(a.words - 1, slot_of(a.out, blockIdx.y), [&]", "fill", "fill"},
	{"a NaN stored as it comes", "num.cuh", "return is_nan(x) ? NAN_BITS : bits_of(x);", "return bits_of(x);", "binary", "add mul"},
}

// plantKernels plants the kernel faults whose names match, and returns how many survived.
func plantKernels(matches func(string) bool) (planted, survived int, err error) {
	for _, f := range kernelFaults {
		if !matches(f.name) {
			continue
		}
		planted++
		how, err := plantKernel(f.file, f.from, f.to, f.kernels, f.ops)
		switch {
		case err != nil:
			return planted, survived, fmt.Errorf("%s: %w", f.name, err)
		case how == "":
			survived++
			fmt.Printf("SURVIVED  %s (cuda/%s, ops %s)\n", f.name, f.file, f.ops)
		default:
			fmt.Printf("killed    %s, %s\n", f.name, how)
		}
	}
	return planted, survived, nil
}

func plantKernel(file, from, to, compile, ops string) (how string, err error) {
	dir, err := os.MkdirTemp("", "kernels")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	sources, err := filepath.Glob("cuda/*.cu*")
	if err != nil {
		return "", err
	}
	var kernels []string
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, filepath.Base(path))
		if filepath.Base(path) == file {
			if !bytes.Contains(text, []byte(from)) {
				return "", fmt.Errorf("%s has no %q any more; mend the list", path, from)
			}
			text = bytes.Replace(text, []byte(from), []byte(to), 1)
		}
		if err := os.WriteFile(copied, text, 0o666); err != nil {
			return "", err
		}
		base := strings.TrimSuffix(filepath.Base(path), ".cu")
		if filepath.Ext(path) == ".cu" && slices.Contains(append(strings.Fields(compile), "keep", "fill"), base) {
			kernels = append(kernels, copied)
		}
	}
	library := filepath.Join(dir, "libcuda-emu.so")
	objects, err := filepath.Abs("bin/emu-mutants")
	if err != nil {
		return "", err
	}
	build := exec.Command("cuda/emu/build.sh", library)
	build.Env = append(os.Environ(), "EMU_KERNELS="+strings.Join(kernels, " "), "EMU_OBJ="+objects)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the copy does not build: %w\n%s", err, out)
	}
	for _, order := range []string{"forward", "reverse", "permuted"} {
		run := exec.Command("bin/lockstep", append([]string{"verify", "--device", "cuda"}, strings.Fields(ops)...)...)
		run.Env = append(os.Environ(), "LOCKSTEP_CUDA_DRIVER="+library, "LOCKSTEP_EMU_ORDER="+order)
		if out, err := run.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return fmt.Sprintf("order %s: %.120s", order, lines[len(lines)-1]), nil
		}
	}
	return "", nil
}
