package gpu

import (
	"os"
	"regexp"
	"testing"
)

// The ops of a chain have the same numbers on both sides.
func TestChainOpsAreNumberedAlike(t *testing.T) {
	text, err := os.ReadFile("../cuda/pointwise.cuh")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bDO\((\w+), \w+, `).FindAllStringSubmatch(string(text), -1)
	if len(names) != len(chainOps)-1 {
		t.Fatalf("%d ops in the header, %d here", len(names), len(chainOps)-1)
	}
	for i, n := range names {
		if n[1] != chainOps[i+1] {
			t.Errorf("number %d is %s, and %s here", i+1, n[1], chainOps[i+1])
		}
	}
}
