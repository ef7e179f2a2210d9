package cpu

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A family of instructions runs by default only if a record of the full suite with it is committed: of a machine that has it, where
// its absence would have failed, and in which nothing failed.
func TestDefaultsAreOnRecord(t *testing.T) {
	for _, v := range variants {
		if v.record == "" || v.record == always {
			continue
		}
		b, err := os.ReadFile(filepath.Join("..", "bench", "results", v.record))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if why := refuses(string(b), v.name); why != "" {
			t.Errorf("%s runs by default, but %s %s", v.name, v.record, why)
		}
	}
}

// refuses says why a text is no record of a variant; "" if it is one.
func refuses(text, variant string) string {
	required := regexp.MustCompile(`REQUIRE=(\S*) go test -count=1 \./\.\.\.`).FindStringSubmatch(text)
	switch {
	case required == nil || !slices.Contains(strings.Split(required[1], ","), variant):
		return "does not require it"
	case !regexp.MustCompile(`(?m)^ok  \tlockstep/cpu\t`).MatchString(text):
		return "has no run of this package"
	case regexp.MustCompile(`(?m)^(FAIL|--- FAIL|panic:)`).MatchString(text):
		return "has a failure"
	}
	return ""
}

func TestRecordsAreRead(t *testing.T) {
	const good = "$ env REQUIRE=avx512,avx2 go test -count=1 ./...\nok  \tlockstep/cpu\t1.0s\n"
	for text, want := range map[string]string{
		good: "",
		strings.Replace(good, "avx512", "vnni", 1):       "does not require it",
		strings.Replace(good, "ok  ", "FAIL", 1):         "has no run of this package",
		good + "FAIL\tlockstep/sweep\t1.0s\n":            "has a failure",
		strings.Replace(good, "avx512,", "avx512vl,", 1): "does not require it",
	} {
		if got := refuses(text, "avx512"); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}
