//go:build cuda

package gpu

import (
	"fmt"
	"os"
	process "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/cuda/loader"
	"lockstep/optest"
)

// library compiles testdata/nvml.c and returns the folder that it lies in.
func library(t *testing.T) string {
	t.Helper()
	cc, err := process.LookPath("cc")
	if err != nil {
		optest.Absent(t, "cc")
	}
	header, err := process.Command("go", "list", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml/pkg/nvml").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := process.Command(cc, "-shared", "-fPIC", "-w", "-DNVML_NO_UNVERSIONED_FUNC_DEFS", "-I", strings.TrimSpace(string(header)), "-o", filepath.Join(dir, "libnvidia-ml.so.1"), "testdata/nvml.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestTelemetryChild is what TestTelemetry runs in a process of its own, where the library can be found.
func TestTelemetryChild(t *testing.T) {
	of := os.Getenv("TELEMETRY_OF")
	if of == "" {
		t.Skip("TestTelemetry runs it")
	}
	read := func() string {
		got, err := telemetryAt(of)
		if of == "cuda:0" {
			got, err = ReadTelemetry(0)
		}
		if place, sense := strings.CutPrefix(of, "sense "); sense {
			r, err := senseAt(place)
			return fmt.Sprint(r, err)
		}
		if err != nil {
			return err.Error()
		}
		return got.String()
	}
	first := read()
	fmt.Println(first)
	if second := read(); second != first {
		fmt.Println("the second time:", second)
	}
}

func TestTelemetry(t *testing.T) {
	dir := library(t)
	child := func(path, of string, env ...string) string {
		c := process.Command(os.Args[0], "-test.run", "^TestTelemetryChild$")
		c.Env = append(append(os.Environ(), "LD_LIBRARY_PATH="+path, "TELEMETRY_OF="+of), env...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	const full = "driver 580.95.05, SM clock 1755 of 1980 MHz, memory clock 2619 of 2620 MHz, held by the power limit, heat (the hardware), 123 of 700 W, 41 C, 5.4 of 85.9 GB used, ECC on, MIG off, " +
		"PCIe 4 of 5 x8 of x0, processes: 2; it does not tell whether it has MIG (this driver has no nvmlDeviceGetMigMode), its most PCIe lanes (Not Supported)"
	unreadable := t.TempDir() // found before a library of this machine
	if err := os.WriteFile(filepath.Join(unreadable, "libnvidia-ml.so.1"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	first := full
	if _, reason := loader.Driver(); reason != "" {
		first = "no CUDA device: " + reason
	}
	for _, c := range []struct{ what, got, want string }{
		{"a card", child(dir, "00000000:1B:00.0", "NVML_PLACE=00000000:1B:00.0"), full},
		{"what changes", child(dir, "sense 00000000:1B:00.0", "NVML_ENERGY="+filepath.Join(t.TempDir(), "energy")),
			"{ 1.5 123.456 1755 41 [the power limit heat (the hardware)]} <nil>\nthe second time: { 3 123.456 1755 41 [the power limit heat (the hardware)]} <nil>"},
		{"what changes, without energy", child(dir, "sense 00000000:1B:00.0"), "{ 0 123.456 1755 41 [the power limit heat (the hardware)]} <nil>"},
		{"nothing to sense", child(unreadable, "sense 00000000:1B:00.0"), "{ 0 0 0 0 []} NVML: not found: libnvidia-ml.so.1, which comes with the driver, is not among the system's libraries"},
		{"no card there", child(dir, "00000000:1C:00.0", "NVML_PLACE=00000000:1B:00.0"), "NVML: the card at 00000000:1C:00.0: Not Found"},
		{"the first device", child(dir, "cuda:0"), first},
		{"a driver that does not start", child(dir, "00000000:1B:00.0", "NVML_INIT=9"), "NVML: made up"},
		{"no library", child(unreadable, "00000000:1B:00.0"), "NVML: not found: libnvidia-ml.so.1, which comes with the driver, is not among the system's libraries"},
	} {
		if got, _ := strings.CutSuffix(c.got, "\nPASS\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}
