package memory

import (
	"runtime"
	"testing"
)

func TestAvailable(t *testing.T) {
	if n := Available(); n < 1<<20 {
		t.Errorf("%d bytes are available; this test runs in more", n)
	}
	if runtime.GOOS == "linux" && system() > 1<<50 {
		t.Error("the system's available memory was not found")
	}
}
