package cpu

import (
	"testing"

	"lockstep/optest"
)

// TestRandomGuards is TestGuards on random cases: every twin that serves one, between poisoned words and at the end of a page.
func TestRandomGuards(t *testing.T) {
	cases := uint64(500)
	if testing.Short() {
		cases = 100
	}
	kernels, failed := 0, 0
	for i := range cases {
		c := optest.RandomCase(1, i)
		for _, v := range Variants() {
			ran, wrong := guardedTwin(t, v, c)
			kernels, failed = kernels+ran, failed+wrong
		}
		if failed >= 3 {
			t.Fatal("three failures; the other cases are left out")
		}
	}
	if kernels == 0 && hasGo {
		t.Error("no twin serves any case: nothing was tested")
	}
	t.Logf("%d runs of kernels", kernels)
}
