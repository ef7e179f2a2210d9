package record

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// gone tells whether a process has ended, if perhaps nobody has asked how.
func gone(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if os.IsNotExist(err) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.HasPrefix(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " Z")
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("20 seconds, and not yet: %s", what)
		}
	}
}

// A command ends with the program that keeps its record, even if that is killed.
func TestKilled(t *testing.T) {
	const variable = "LOCKSTEP_TEST_RECORD"
	if path := os.Getenv(variable); path != "" {
		Run(t.Context(), path, &Job{Part: "sleep", Command: []string{"sh", "-c", `echo "{\"pid\":$$}"; exec sleep 60`}}, io.Discard, io.Discard)
		return
	}
	path := filepath.Join(t.TempDir(), "r.jsonl")
	keeper := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	keeper.Env = append(os.Environ(), variable+"="+path)
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	var command struct{ PID int }
	eventually(t, "the command has said its number", func() bool {
		parts, err := Read(path)
		return err == nil && len(parts[0].Lines) > 0 && json.Unmarshal(parts[0].Lines[0], &command) == nil && command.PID > 0
	})
	if gone(t, command.PID) {
		t.Error("the command ended before it was to")
	}
	keeper.Process.Kill()
	keeper.Wait()
	eventually(t, "the command has ended", func() bool { return gone(t, command.PID) })
}
