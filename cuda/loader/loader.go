//go:build cuda

package loader

// #cgo LDFLAGS: -L${SRCDIR}/lib -ldl -lpthread
// const char *lockstep_driver(int *loaded);
import "C"

//go:generate go run ./gensyms -o syms.h gorgonia.org/cu lockstep/gpu

// Driver opens the driver and returns its path, or why there is none.
func Driver() (path string, reason string) {
	var loaded C.int
	text := C.GoString(C.lockstep_driver(&loaded))
	if loaded != 0 {
		return text, ""
	}
	return "", text
}
