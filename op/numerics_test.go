package op_test

import (
	"os"
	"strings"
	"testing"

	"lockstep/op"
)

// The public law has a row for every op.
func TestEveryOpHasARow(t *testing.T) {
	text, err := os.ReadFile("../docs/NUMERICS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows += strings.SplitN(line, "|", 3)[1]
		}
	}
	for _, o := range op.All {
		if !strings.Contains(rows, "`"+o.Name()+"`") {
			t.Errorf("docs/NUMERICS.md has no row for %s", o.Name())
		}
	}
}
