package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/data/idxtest"
)

// TestMain lets a test start the command as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("LOCKSTEP_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "LOCKSTEP_AS_COMMAND=1")
	return c
}

// events are the objects that --json printed.
func events(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		var v map[string]any
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil || v["event"] == nil {
			t.Fatalf("no event: %s: %v", lines.Text(), err)
		}
		all = append(all, v)
	}
	return all
}

func TestSweepRunAndDigest(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", tiny)
	out := filepath.Join(dir, "out")
	must(t, "sweep", "run", card, "--out", out)
	digest := must(t, "sweep", "digest", out)
	if len(digest) != 65 {
		t.Errorf("digest %q", digest)
	}
	again := filepath.Join(dir, "again")
	must(t, "sweep", "run", card, "--out", again, "--threads", "1", "--pack", "1", "--variant", cpu.Law)
	if d := must(t, "sweep", "digest", again); d != digest {
		t.Errorf("one cell a pack on the law gives digest %s; want %s", d, digest)
	}
	other := filepath.Join(dir, "other")
	must(t, "sweep", "run", card, "--out", other, "--set", "steps=3")
	if d := must(t, "sweep", "digest", other); d == digest {
		t.Error("another number of steps gives the same digest")
	}
	if s := must(t, "sweep", "status", out); !strings.Contains(s, "2 of 2 cells") || !strings.Contains(s, "digest "+digest) {
		t.Errorf("status prints %s", s)
	}
}

func TestSweepEvents(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", tiny)
	out := filepath.Join(dir, "out")
	all := events(t, must(t, "sweep", "run", card, "--json", "--threads", "1", "--pack", "1", "--out", out, "--checkpoint", "1ns"))
	count := map[string]int{}
	for _, e := range all {
		count[e["event"].(string)]++
	}
	if count["start"] != 1 || count["cell"] != 2 || count["checkpoint"] < 2 || count["end"] != 1 || count["digest"] != 1 || all[0]["event"] != "start" {
		t.Errorf("events %v", count)
	}
	for _, e := range all {
		if e["event"] == "cell" && e["result"].(map[string]any)["declared"].(map[string]any)["steps"] != 2.0 {
			t.Errorf("a cell without its result: %v", e)
		}
	}
	// What had ended before is told, too.
	all = events(t, must(t, "sweep", "run", card, "--json", "--out", out, "--resume"))
	if all[1]["event"] != "skip" || all[1]["cells"] != 2.0 || len(all) != 4 {
		t.Errorf("a finished sweep gives %v", all)
	}
}

func TestSweepExport(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", strings.Replace(tiny, "axes = {d = [2, 3]}", "[[arms]]\nname = \"a,\\\"b\\nc\"\naxes = {d = [2, 3]}\n[[arms]]\nname = \"base\"\nmap = {type = \"identity\"}\n", 1))
	out := filepath.Join(dir, "out")
	must(t, "sweep", "run", card, "--out", out)
	path := filepath.Join(dir, "t.csv")
	must(t, "sweep", "export", out, "-o", path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := func(row int, name string) string { return rows[row][slices.Index(rows[0], name)] }
	if column(1, "arm") != "a,\"b\nc" || column(1, "axis_d") != "2" || column(3, "axis_d") != "" || column(3, "d") != "650" || column(2, "diverged") != "false" {
		t.Errorf("rows %q", rows)
	}
	// The table has the numbers of the ledger, to the bit.
	lines := strings.Split(strings.TrimSpace(must(t, "sweep", "export", out, "--format", "jsonl")), "\n")
	var r struct {
		ID       string
		Declared struct {
			TrainLoss string `json:"train_loss"`
		}
	}
	if err := json.Unmarshal([]byte(lines[2]), &r); err != nil || r.ID != column(3, "id") {
		t.Fatalf("%v: %s", err, lines[2])
	}
	loss, err := strconv.ParseFloat(column(3, "train_loss"), 32)
	if bits, e := strconv.ParseUint(r.Declared.TrainLoss, 16, 32); err != nil || e != nil || strconv.FormatFloat(loss, 'x', -1, 32) != strconv.FormatFloat(float64FromBits(uint32(bits)), 'x', -1, 32) {
		t.Errorf("loss %s in the table, %s in the ledger", column(3, "train_loss"), r.Declared.TrainLoss)
	}
}

// Ctrl-C ends a run soon, with status 130 and a checkpoint; --resume ends with the digest of an undisturbed run.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", strings.Replace(tiny, "steps = 2", "steps = 60000", 1))
	calm, out := filepath.Join(dir, "calm"), filepath.Join(dir, "out")
	must(t, "sweep", "run", card, "--out", calm)
	args := []string{"sweep", "run", card, "--out", out, "--json"}
	for i, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		c := command(args...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		pipe, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for lines.Scan() && !strings.Contains(lines.Text(), `"progress"`) { // it is training
		}
		time.Sleep(100 * time.Millisecond)
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
		}
		if c.Wait(); c.ProcessState.ExitCode() != 130 || !strings.Contains(stderr.String(), "a checkpoint of 2 more; the same command with --resume goes on") {
			t.Fatalf("%s: status %d: %s", sig, c.ProcessState.ExitCode(), stderr.String())
		}
		if s := must(t, "sweep", "status", out); !strings.Contains(s, "checkpoint of 2 cells") || !strings.Contains(s, "stopped") {
			t.Errorf("status prints %s", s)
		}
		if i == 0 {
			args = append(args, "--resume")
		}
	}
	must(t, "sweep", "run", card, "--out", out, "--resume")
	if a, b := must(t, "sweep", "digest", calm), must(t, "sweep", "digest", out); a != b {
		t.Errorf("digest %s after interruptions; want %s", b, a)
	}
}

// Signals that a shell told the process to ignore, as nohup does, do not end a run.
func TestIgnoredSignals(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", strings.Replace(tiny, "steps = 2", "steps = 20000", 1))
	c := exec.Command("sh", "-c", `trap '' HUP INT; exec "$@"`, "sh", os.Args[0], "sweep", "run", card, "--out", filepath.Join(dir, "out"), "--json")
	c.Env = append(os.Environ(), "LOCKSTEP_AS_COMMAND=1")
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && !strings.Contains(lines.Text(), `"progress"`) {
	}
	for _, sig := range []os.Signal{syscall.SIGHUP, os.Interrupt} {
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	for lines.Scan() {
	}
	if err := c.Wait(); err != nil {
		t.Errorf("a run that ignores SIGHUP and SIGINT: %v", err)
	}
}

// The study of MNIST runs on files in its format.
func TestMNISTStudy(t *testing.T) {
	dir := t.TempDir()
	if err := idxtest.Write(dir, 200, 50, 28, 1); err != nil {
		t.Fatal(err)
	}
	small := []string{"--data", dir, "--set", "steps=4", "--set", "seeds=[0]", "--set", "arms.subspace.axes.d=[5,750]"}
	out := filepath.Join(dir, "out")
	status, stdout, stderr := lockstep(append([]string{"study", "run", "intrinsic-mnist", "--out", out}, small...)...)
	if status != 1 || !strings.Contains(stderr, "not everything is as expected") || !strings.Contains(stdout, "199210") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if s := must(t, "sweep", "verify", out, "--data", dir, "--sample", "1"); !strings.Contains(s, "1 of the 3 cells") {
		t.Errorf("verify prints %s", s)
	}
	if status, _, stderr := lockstep("sweep", "verify", out); status != 1 || !strings.Contains(stderr, "--data DIR") {
		t.Errorf("verify without data: %s", stderr)
	}
	// Other files of the same shape are other data.
	if err := idxtest.Write(dir, 200, 50, 28, 2); err != nil {
		t.Fatal(err)
	}
	c := command(append([]string{"study", "run", "intrinsic-mnist", "--out", out, "--resume"}, small...)...)
	if text, err := c.CombinedOutput(); err == nil || !strings.Contains(string(text), "data  mnist: ") {
		t.Errorf("other files: %v: %s", err, text)
	}
}

func float64FromBits(b uint32) float64 { return float64(math.Float32frombits(b)) }

// What a sweep lives by is not written over.
func TestOutputSparesTheSweep(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	must(t, "sweep", "run", write(t, dir, "tiny.toml", tiny), "--out", out)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(out, "ledger.sqlite"), link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"export"}, {"report"}} {
		for _, target := range []string{filepath.Join(out, "ledger.sqlite"), filepath.Join(out, ".lock"), link, filepath.Join(out, "checkpoints"), filepath.Join(out, "ledger.sqlite-journal"), out + "/../out/ledger.sqlite-wal"} {
			if status, _, stderr := lockstep(append([]string{"sweep", args[0], out, "-o", target}, args[1:]...)...); status != 1 || !strings.Contains(stderr, "own file") {
				t.Errorf("%s -o %s: status %d: %s", args[0], target, status, stderr)
			}
		}
	}
	must(t, "sweep", "digest", out)
}

// A study tells its findings as events, too.
func TestStudyEvents(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", tiny+"[expect]\nwhat = \"performance\"\nrange = [0.9, 1]\n")
	status, stdout, _ := lockstep("study", "run", card, "--json")
	found := 0
	for _, e := range events(t, stdout) {
		if e["event"] == "finding" && e["ok"] == false && e["what"] == "performance" && e["where"].(map[string]any)["d"] != nil {
			found++
		}
	}
	if status != 1 || found != 2 {
		t.Errorf("status %d, %d findings: %s", status, found, stdout)
	}
}

// Output that cannot be written is a failure.
func TestFullOutput(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	must(t, "sweep", "run", write(t, dir, "tiny.toml", tiny), "--out", out)
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"lockstep", "sweep", "status", out}, fullWriter{}, &stderr); status != 1 || !strings.Contains(stderr.String(), "no room") {
		t.Errorf("status %d: %s", status, stderr.String())
	}
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestReport(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	must(t, "sweep", "run", write(t, dir, "tiny.toml", tiny), "--out", out)
	must(t, "sweep", "report", out)
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !strings.Contains(string(page), strings.TrimSpace(must(t, "sweep", "digest", out))) {
		t.Errorf("the report has no digest: %v", err)
	}
}
