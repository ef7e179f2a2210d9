package exhaustive

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// FuzzDigests: no pair of files panics, and every function that is read has a line of digests.txt.
func FuzzDigests(f *testing.F) {
	f.Add(digestsText, []byte("exp\n"))
	f.Add([]byte(header+"\nexp 00"), bytes.Repeat([]byte("exp\n"), 5000))
	f.Fuzz(func(t *testing.T, digests, lists []byte) {
		read(digests, lists)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(lists); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		all, err := read(digests, b.Bytes())
		for name := range all {
			if err == nil && !bytes.Contains(digests, []byte(name)) {
				t.Fatalf("%q is of no line", name)
			}
		}
	})
}
