//go:build linux || darwin || freebsd

package optest

import (
	"os"
	"syscall"
)

// fenced is memory of whole pages, n bytes or more, with a page on each side that cannot be touched.
func fenced(n int) (pages []byte, free func(), err error) {
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	free = func() { syscall.Munmap(all) }
	for _, fence := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			free()
			return nil, nil, err
		}
	}
	return all[page : page+size : page+size], free, nil
}
