package cpu

import (
	"os"
	process "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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
	required := regexp.MustCompile(`(?m)^\$ env REQUIRE=(\S*) go test -count=1 \./\.\.\.$`).FindStringSubmatch(text)
	verify := regexp.MustCompile(`(?m)^\$ \S*lockstep verify --variant ` + variant + `\n((?:[^$\n].*)?\n)*`).FindString(text) // to the next command
	switch {
	case required == nil || !slices.Contains(strings.Split(required[1], ","), variant):
		return "does not require it"
	case !regexp.MustCompile(`(?m)^ok  \tlockstep/cpu\t`).MatchString(text):
		return "has no run of this package"
	case regexp.MustCompile(`(?m)^FAIL|--- FAIL|FAILED|^panic:`).MatchString(text):
		return "has a failure"
	case !regexp.MustCompile(`(?m)^\d+ cases on the cpu engine, alone and in a pack: all have the bits of the law$`).MatchString(verify):
		return "has no verdict of lockstep verify"
	case !regexp.MustCompile(`(?m)^\w+  \d+ cases  .*\b` + variant + `\b.*  ok$`).MatchString(verify):
		return "has no op that ran by it"
	case !regexp.MustCompile(`(?m)^complete$`).MatchString(text):
		return "is not complete"
	}
	return ""
}

func TestRecordsAreRead(t *testing.T) {
	const verdict = "4235 cases on the cpu engine, alone and in a pack: all have the bits of the law\n"
	const good = "model name\t: a CPU\n\n$ env REQUIRE=avx512,avx2 go test -count=1 ./...\nok  \tlockstep/bench\t1.0s\nok  \tlockstep/cpu\t1.0s\n\n" +
		"$ bin/lockstep verify --variant avx512\nmatmul  397 cases  avx512  ok\ngt  46 cases  avx512 law  ok\n\n" + verdict + "\n" +
		"$ bin/lockstep verify --variant avx2\nmatmul  397 cases  avx2  ok\n" + verdict + "\n$ bin/lockstep bench\n\ncomplete\n"
	replace := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the record has no %q", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for text, want := range map[string]string{
		good: "",
		replace("REQUIRE=avx512", "REQUIRE=vnni"):                          "does not require it",
		replace("avx512,avx2", "avx512vl,avx2"):                            "does not require it",
		replace("$ env REQUIRE", "# env REQUIRE"):                          "does not require it",
		replace("ok  \tlockstep/cpu", "?   \tlockstep/cpu"):                "has no run of this package",
		replace("ok  \tlockstep/bench", "FAIL\tlockstep/bench"):            "has a failure",
		replace("\ncomplete", "\n    --- FAIL: TestX (0.00s)\ncomplete"):   "has a failure",
		replace("avx512 law  ok", "avx512 law  2 FAILED: a bit"):           "has a failure",
		replace("\ncomplete", "\nexp  avx2  1.0 s  FAILED: x\ncomplete"):   "has a failure",
		replace("\ncomplete", "\npanic: x\ncomplete"):                      "has a failure",
		replace(verdict, ""):                                               "has no verdict of lockstep verify",
		replace("bits of the law", "bits of the law; 2 ops are not whole"): "has no verdict of lockstep verify",
		replace("verify --variant avx512", "verify --variant vnni"):        "has no verdict of lockstep verify",
		strings.ReplaceAll(good, "  avx512", "  law"):                      "has no op that ran by it",
		replace("\ncomplete\n", "\n"):                                      "is not complete",
		replace("\ncomplete\n", "\nincomplete\n"):                          "is not complete",
		replace("\ncomplete\n", "\ncompletely\n"):                          "is not complete",
	} {
		if got := refuses(text, "avx512"); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// A command that fails ends bench/cpu-record.sh, wherever it stands: then what it printed is there under another name, and no record.
func TestRecordEndsAtAFailure(t *testing.T) {
	for _, tool := range []string{"bash", "git", "awk"} {
		if _, err := process.LookPath(tool); err != nil || runtime.GOOS != "linux" {
			t.Skipf("SKIPPED: bench/cpu-record.sh needs Linux and %s", tool)
		}
	}
	script, err := os.ReadFile(filepath.Join("..", "bench", "cpu-record.sh"))
	if err != nil {
		t.Fatal(err)
	}
	// Stands in for go and for lockstep: tells what it was asked, and fails if that has FAILS in it.
	const stand = `#!/bin/sh
echo "$(basename "$0") $*" >>asked
case "$*" in
"devices --json") echo '{"cpu":["avx512","vnni","go","law"]}' ;;
"op list") printf 'exp  ordered  avx512 law\ncast  exact  avx512 law  To DType\nneg  exact  go law\nmatmul  ordered  avx512 law\nternarymm  exact  vnni law\n' ;;
"verify --exhaustive --list") printf 'ab  exp\nab  neg\nab  cast_f32_i8\n' ;;
*"$FAILS"*) echo "it failed"; exit 3 ;;
esac
`
	record := func(fails string) (said, asked string, files []string, status error) {
		dir := t.TempDir()
		for name, text := range map[string]string{"bench/cpu-record.sh": string(script), "bin/lockstep": stand, "path/go": stand, ".gitignore": "/bin\n/path\nasked\n"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		do := func(name string, args ...string) (string, error) {
			c := process.Command(name, args...)
			c.Dir = dir
			c.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "path")+":"+os.Getenv("PATH"), "FAILS="+fails)
			out, err := c.CombinedOutput()
			return string(out), err
		}
		for _, args := range []string{"init -q", "add .", "-c user.name=a -c user.email=b commit -q -m c"} {
			if out, err := do("git", strings.Fields(args)...); err != nil {
				t.Fatalf("git %s: %v, %s", args, err, out)
			}
		}
		said, status = do("bash", "bench/cpu-record.sh")
		all, _ := os.ReadFile(filepath.Join(dir, "asked"))
		files, _ = filepath.Glob(filepath.Join(dir, "bench", "results", "*"))
		return said, string(all), files, status
	}
	said, asked, files, status := record("nothing")
	if status != nil || len(files) != 1 || !strings.HasSuffix(files[0], "-avx512.txt") || !strings.HasPrefix(said, "wrote bench/results/") {
		t.Fatalf("nothing fails: %v, %s, %v", status, said, files)
	}
	text, _ := os.ReadFile(files[0])
	if !strings.HasSuffix(string(text), "\ncomplete\n") || !strings.Contains(string(text), "\n$ env REQUIRE=avx512,vnni go test -count=1 ./...\n") {
		t.Errorf("the record is\n%s", text)
	}
	for _, want := range []string{"verify --variant avx512\n", "verify --variant vnni\n", "verify --exhaustive --variant avx512 exp cast_f32_i8\n"} {
		if !strings.Contains(asked, "lockstep "+want) {
			t.Errorf("the record is made without lockstep %s", want)
		}
	}
	if strings.Contains(asked, "--exhaustive --variant vnni") {
		t.Error("functions that a variant does not serve are run by it")
	}
	for _, fails := range []string{"test -count=1", "verify --variant avx512", "--exhaustive --variant", "verify --variant vnni", "exp gelu", "ternarymm", "train sweep"} {
		said, asked, files, status := record(fails)
		last := asked[strings.LastIndex(strings.TrimSpace(asked), "\n")+1:]
		if status == nil || len(files) != 1 || !strings.HasSuffix(files[0], ".txt.part") || !strings.Contains(said, "it failed") || !strings.Contains(last, fails) {
			t.Errorf("%s fails: %v, %s, %v; the last command was %s", fails, status, said, files, last)
		}
		if text, _ := os.ReadFile(files[0]); strings.Contains(string(text), "complete") {
			t.Errorf("%s fails, and the record is complete", fails)
		}
	}
}
