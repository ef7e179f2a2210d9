package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, content := range []string{"old", "the new content", ""} {
		if err := WriteWhole(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("read %q, %v; want %q", b, err, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; want rw-r--r--", info.Mode(), err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteWhole(folder, []byte("x")); err == nil {
		t.Error("a file took the place of a folder")
	}
	if err := WriteWhole(filepath.Join(dir, "none", "f"), nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Errorf("missing folder: got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("failed writes left %v; want f and folder", left)
	}
}

// What is no regular file keeps being what it is: a link its target's name, a pipe a pipe.
func TestWriteWholeFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("SKIPPED: links cannot be made here:", err)
	}
	if err := WriteWhole(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "new" {
		t.Errorf("the target holds %q, %v", b, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the target's mode became %v, %v", info.Mode(), err)
	}
	if err := WriteWhole(os.DevNull, []byte("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s became a regular file", os.DevNull)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := NewLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewLock(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a second lock gives %v", err)
	}
	if err := lock.Held(); err != nil {
		t.Error(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if lock, err = NewLock(path); err != nil {
		t.Fatal("a lock that was given back:", err)
	}
	defer lock.Release()
	if err := os.Remove(path); err != nil {
		t.Skip("SKIPPED: a file that is open cannot be removed here:", err)
	}
	if err := lock.Held(); err == nil {
		t.Error("a lock whose file was removed is held")
	}
	other, err := NewLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	if err := lock.Held(); err == nil {
		t.Error("a lock whose file was replaced is held")
	}
}
