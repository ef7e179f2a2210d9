package gpu

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// The kernels have the same numbers on both sides.
func TestResidentKernelsAreNumberedAlike(t *testing.T) {
	text, err := os.ReadFile("../cuda/resident_kernels.cuh")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^RUN(?:_SHARED|_TAPE)?\((\d+), (\w+)\)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) != len(residentKernels) {
		t.Fatalf("%d kernels in the header, %d here", len(lines), len(residentKernels))
	}
	for i, l := range lines {
		if n, _ := strconv.Atoi(l[1]); n != i || l[2] != residentKernels[i] {
			t.Errorf("number %d is %s, and %s here", n, l[2], residentKernels[i])
		}
	}
}
