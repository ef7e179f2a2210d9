//go:build !purego

package cpu

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What a round of a peak's loop is said to do is what its assembly does: the instructions between the label and the jump back, and the
// lanes of their registers.
func TestPeakCountsItsFMAs(t *testing.T) {
	source, err := os.ReadFile("peak_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]string{"avx2": "AVX2", "avx512": "AVX512"}
	bits := map[string]int{"Y": 256, "Z": 512}
	for _, p := range fmaPeaks {
		_, body, _ := strings.Cut(string(source), fmt.Sprintf("TEXT ·fmaChains%s(SB)", families[p.family]))
		_, body, _ = strings.Cut(body, "loop:\n")
		body, _, ok := strings.Cut(body, "DECQ")
		fmas := 0
		for _, f := range regexp.MustCompile(`VFMADD231PS ([YZ])\d+, [YZ]\d+, [YZ]\d+\n`).FindAllStringSubmatch(body, -1) {
			fmas += bits[f[1]] / 32
		}
		if got := p.work(3); !ok || fmas == 0 || got != float64(3*fmas) {
			t.Errorf("%s: 3 rounds count %v multiply-adds; the loop has %d a round", p.family, got, fmas)
		}
	}
}
