package gpu

// thread is the OS thread that a device's context belongs to.
type thread struct{ work chan func() }

// do runs f on the thread and waits for it.
func (t *thread) do(f func() error) (err error) {
	done := make(chan struct{})
	t.work <- func() { err = f(); close(done) }
	<-done
	return err
}

func (t *thread) close() { close(t.work) }
