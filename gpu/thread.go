package gpu

import "runtime"

// thread is the OS thread that a device's context belongs to.
type thread struct{ work chan func() }

func newThread() *thread {
	t := &thread{make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the context's hold on it
		for f := range t.work {
			f()
		}
	}()
	return t
}

// do runs f on the thread and waits for it.
func (t *thread) do(f func() error) (err error) {
	done := make(chan struct{})
	t.work <- func() { err = f(); close(done) }
	<-done
	return err
}

func (t *thread) close() { close(t.work) }
