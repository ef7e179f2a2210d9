package curvature

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"lockstep/op"
)

// Declared is a part of what an estimation declares: numbers with the bits of the law, and a name that says what they are.
type Declared struct {
	Name   string
	Values []float32
}

// Digest is SHA-256 over: ASCII "lockstep/curvature/digest/1" and one zero byte; the version of the law as u64; then, part after part, the length of
// its name in bytes as u64, the name, the number of its values as u64, and their bits as u32. All integers are little endian. Two estimations
// agree when their digests do, whatever engine, pack and number of threads they used.
func Digest(parts ...Declared) string {
	h := sha256.New()
	w := bufio.NewWriter(h) // a hash never fails
	count := func(n int) { w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), uint64(n))) }
	w.WriteString("lockstep/curvature/digest/1\x00")
	count(op.Version)
	for _, p := range parts {
		count(len(p.Name))
		w.WriteString(p.Name)
		count(len(p.Values))
		for _, x := range p.Values {
			w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(x)))
		}
	}
	w.Flush()
	return hex.EncodeToString(h.Sum(nil))
}
