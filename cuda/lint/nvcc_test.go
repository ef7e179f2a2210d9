package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What must not be compiled, by nvcc.sh as the build calls it: NVCC names the compiler.
func TestNvccRefuses(t *testing.T) {
	nvcc := os.Getenv("NVCC")
	if nvcc == "" {
		t.Skip(`needs nvcc: eval "$(make -s env)"`)
	}
	root := t.TempDir() // with the script in it, so that it leaves its PTX there
	must := func(err error, text []byte) {
		if err != nil {
			t.Fatal(err, string(text))
		}
	}
	script, err := os.ReadFile("../nvcc.sh")
	must(err, nil)
	must(os.Mkdir(filepath.Join(root, "cuda"), 0o777), nil)
	must(os.WriteFile(filepath.Join(root, "cuda", "nvcc.sh"), script, 0o777), nil)
	lint := filepath.Join(root, "lint")
	text, err := exec.Command("go", "build", "-o", lint, ".").CombinedOutput()
	must(err, text)
	for _, c := range []struct{ name, kernel, want string }{
		{"right", "p[threadIdx.x] = __fmaf_rn(p[0], p[1], p[2]) * p[3] + p[4];", ""},
		{"atomic", "atomicAdd(p, 1.0f);", "compute_100.ptx:"},
		{"late", "#if __CUDA_ARCH__ == 1200\np[0] = __expf(p[0]);\n#endif", "late.compute_120.ptx:"}, // for one architecture alone
		{"spill", "float a[64]; for (int i = 0; i < 64; i++) a[i] = p[i * 1024 + threadIdx.x];\n" +
			"for (int k = 0; k < 100; k++) for (int i = 0; i < 64; i++) a[i] = __fmaf_rn(a[i], a[(i * 7 + 1) % 64], 1.0f);\n" +
			"for (int i = 0; i < 64; i++) p[i * 1024 + threadIdx.x] = a[i];", "Registers are spilled"},
	} {
		source, fatbin := filepath.Join(root, c.name+".cu"), filepath.Join(root, c.name+".fatbin")
		must(os.WriteFile(source, []byte("extern \"C\" __global__ void __launch_bounds__(1024) kernel(float *p) {\n"+c.kernel+"\n}\n"), 0o666), nil)
		out, err := exec.Command(filepath.Join(root, "cuda", "nvcc.sh"), nvcc, lint, source, fatbin).CombinedOutput()
		_, missing := os.Stat(fatbin)
		if refused := c.want != ""; refused != (err != nil) || refused != (missing != nil) || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, fatbin %v, want %q:\n%s", c.name, err, missing, c.want, out)
		}
	}
}
