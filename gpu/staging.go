package gpu

import "fmt"

// staging is pinned memory of the host: all copies between the host and the card go through it. A write is done for the host
// when its bytes lie there; it waits only where the memory is full. There are two halves, so that the host fills or empties one
// while the card copies the other. All calls run on the device's thread.
type staging struct {
	dev    device
	halves [2]half
	at     int // the half in use
}

type half struct {
	bytes []byte
	used  int // the queue may still be copying these
}

const (
	stagingBytes = 8 << 20 // of both halves
	stagingAlign = 64
)

// newStaging takes bytes of pinned memory.
func newStaging(dev device, bytes int) (*staging, error) {
	pinned, err := dev.pinned(bytes)
	if err != nil {
		return nil, fmt.Errorf("%.1f MB of pinned memory of the host: %w", float64(bytes)/1e6, err)
	}
	return &staging{dev: dev, halves: [2]half{{bytes: pinned[:bytes/2]}, {bytes: pinned[bytes/2:]}}}, nil
}

// take is room for n bytes, or for as many as the half in use has left, which is one at least. A half that is full is marked,
// and the other one taken when the queue is done with it.
func (s *staging) take(n int) ([]byte, error) {
	h := &s.halves[s.at]
	if h.used == len(h.bytes) {
		if err := s.dev.mark(s.at); err != nil {
			return nil, err
		}
		s.at ^= 1
		h = &s.halves[s.at]
		if err := s.dev.wait(s.at); err != nil {
			return nil, err
		}
		h.used = 0
	}
	room := h.bytes[h.used:min(h.used+n, len(h.bytes))]
	h.used = min(h.used+(n+stagingAlign-1)/stagingAlign*stagingAlign, len(h.bytes))
	return room, nil
}

// write copies src to the device; src is the caller's again when it returns.
func (s *staging) write(dst uint64, src []byte) error {
	for len(src) > 0 {
		room, err := s.take(len(src))
		if err != nil {
			return err
		}
		n := copy(room, src)
		if err := s.dev.copyIn(dst, room); err != nil {
			return err
		}
		dst, src = dst+uint64(n), src[n:]
	}
	return nil
}

// read copies from the device to dst, and waits for all that was given to the queue before.
func (s *staging) read(dst []byte, src uint64) error {
	var from, to []byte // the piece before this one
	for len(dst) > 0 {
		room, err := s.take(len(dst))
		if err != nil {
			return err
		}
		if err := s.dev.copyOut(room, src); err != nil {
			return err
		}
		if from != nil { // in the other half, which was marked when this one was taken
			if err := s.dev.wait(s.at ^ 1); err != nil {
				return err
			}
			copy(to, from)
		}
		from, to = room, dst[:len(room)]
		dst, src = dst[len(room):], src+uint64(len(room))
	}
	if err := s.sync(); err != nil {
		return err
	}
	copy(to, from)
	return nil
}

// sync waits for the queue.
func (s *staging) sync() error {
	if err := s.dev.sync(); err != nil {
		return err
	}
	s.halves[0].used, s.halves[1].used, s.at = 0, 0, 0
	return nil
}
