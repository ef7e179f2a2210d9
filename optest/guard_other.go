//go:build !linux && !darwin && !freebsd

package optest

// fenced is ordinary memory where pages cannot be protected: its poisoned words alone stand guard.
func fenced(n int) (pages []byte, free func(), err error) {
	return make([]byte, (n+3)/4*4+8*band), func() {}, nil
}
