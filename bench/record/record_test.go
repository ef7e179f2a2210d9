//go:build unix

package record

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sh runs a shell command as a part.
func sh(t *testing.T, path, part, script string, limit time.Duration) error {
	t.Helper()
	return Run(t.Context(), path, &Job{Part: part, On: "a card", Limit: limit, Command: []string{"sh", "-c", script}}, io.Discard, io.Discard)
}

func read(t *testing.T, path string) map[string]*Part {
	t.Helper()
	parts, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]*Part{}
	for _, p := range parts {
		named[p.Name] = p
	}
	return named
}

func TestParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	if err := sh(t, path, "good", `echo '{"x": 1}'; echo words; printf '{"y":2}'`, 0); err != nil {
		t.Error(err)
	}
	if err := sh(t, path, "bad", `echo '{"x":1}'; echo what went wrong >&2; exit 3`, 0); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a part that fails: %v", err)
	}
	if err := Skip(path, "none", "no tool"); err != nil {
		t.Error(err)
	}
	p := read(t, path)
	if g := p["good"]; g.End.Status != OK || len(g.Lines) != 2 || string(g.Lines[1]) != `{"y":2}` || len(g.Text) != 1 || g.Text[0] != "words" || g.Begin.Command[0] != "sh" || g.Begin.On != "a card" || len(g.Begin.Program) != 64 {
		t.Errorf("good: %+v", g)
	}
	if b := p["bad"]; b.End.Status != Failed || len(b.Lines) != 1 || len(b.End.Errors) != 1 || b.End.Errors[0] != "what went wrong" {
		t.Errorf("bad: %+v", b)
	}
	if n := p["none"]; n.End.Status != Skipped || n.End.Why != "no tool" || n.Begin != nil {
		t.Errorf("none: %+v", n)
	}
	if err := sh(t, path, "bad", `echo '{"x":2}'`, 0); err != nil {
		t.Error(err)
	}
	if b := read(t, path)["bad"]; b.End.Status != OK || string(b.Lines[0]) != `{"x":2}` || len(b.Lines) != 1 {
		t.Errorf("bad, once more: %+v", b)
	}
}

// What a command has printed is in the record when it is cut, by its limit or from outside; so is what its children held open.
func TestCut(t *testing.T) {
	defer func(d time.Duration) { grace = d }(grace)
	grace = 500 * time.Millisecond
	path := filepath.Join(t.TempDir(), "r.jsonl")
	start := time.Now()
	if err := sh(t, path, "limit", `echo '{"x":1}'; sleep 60 & wait`, 300*time.Millisecond); err == nil || !strings.Contains(err.Error(), "limit of 300ms") {
		t.Errorf("a part over its limit: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, stop)
	if err := Run(ctx, path, &Job{Part: "stopped", Command: []string{"sh", "-c", `echo '{"x":2}'; sleep 60`}}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a part that was stopped gives %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("cutting two parts took %v", took)
	}
	for name, p := range read(t, path) {
		if p.End.Status != Cut || len(p.Lines) != 1 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A machine that goes away leaves half a line, or no end.
func TestLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	if err := sh(t, path, "whole", `echo '{"x":1}'`, 0); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"part":"gone","begin":{"command":["x"]}}` + "\n" + `{"part":"gone","line":{"x":1}}` + "\n" + `{"part":"gone","line":{"x"`)
	f.Close()
	if p := read(t, path)["gone"]; p.End.Status != Lost || len(p.Lines) != 1 {
		t.Errorf("lost: %+v", p)
	}
	if err := sh(t, path, "next", `echo '{"x":1}'`, 0); err != nil {
		t.Fatal(err)
	}
	p := read(t, path)
	if len(p) != 3 || p["next"].End.Status != OK || p["whole"].End.Status != OK || p["gone"].End.Status != Lost {
		t.Errorf("after half a line: %v", p)
	}
}

func TestNoRecord(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "words": "no record\nat all\n", "json": "[]\n{}\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil {
			t.Errorf("%s is read as a record", name)
		}
	}
	if _, err := Read(dir); err == nil {
		t.Error("a folder is read as a record")
	}
	if err := sh(t, filepath.Join(dir, "missing", "r"), "x", "true", 0); err == nil {
		t.Error("a record in a folder that is missing")
	}
}

// Nothing is appended to a file that is no record; half a line of one is gone on with.
func TestAppendsToRecordsOnly(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		is   bool
	}{
		"words":    {"# Notes\n", false},
		"half":     {"notes", false},
		"json":     {`{"name":"x"}` + "\n", false},
		"array":    {"[]\n" + `{"part":"a","skip":"x"}` + "\n", false},
		"empty":    {"", true},
		"record":   {`{"part":"a","skip":"x"}` + "\n", true},
		"cut":      {`{"part":"a","ski`, true},
		"cut late": {`{"part":"a","skip":"x"}` + "\n" + `{"pa`, true},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"run": sh(t, path, "b", "true", 0), "skip": Skip(path, "c", "why")} {
			if (err == nil) != c.is || err != nil && !strings.Contains(err.Error(), "no line of a record") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		is, err := os.ReadFile(path)
		if err != nil || !c.is && string(is) != c.text {
			t.Errorf("%s: %q, %v; want it as it was", name, is, err)
		}
		if c.is && read(t, path)["b"].End.Status != OK {
			t.Errorf("%s: %s", name, is)
		}
	}
}

// What small problems gave is not what problems of full size give.
func TestSame(t *testing.T) {
	full, err := (&Job{On: "a card"}).Now()
	if err != nil {
		t.Fatal(err)
	}
	small, err := (&Job{On: "a card", Small: true}).Now()
	if err != nil {
		t.Fatal(err)
	}
	if !full.Same(full) || !small.Same(small) || full.Same(small) || small.Same(full) {
		t.Errorf("%+v, %+v", full, small)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"part":"a","begin":{"at":"2026-01-01T00:00:00Z"}}` + "\n" + `{"part":"a","line":{"x":1}}` + "\n" + `{"part":"a","end":{"status":"ok"}}`))
	path := filepath.Join(f.TempDir(), "r")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if parts, err := Read(path); err == nil && len(parts) == 0 {
			t.Error("no part, and no error")
		}
	})
}
