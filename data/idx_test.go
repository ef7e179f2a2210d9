package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"lockstep/data/idxtest"
)

// idxBytes is an IDX file with the given elements, unchecked.
func idxBytes(dims []int, b ...byte) []byte { return append(idxtest.IDX(dims...), b...) }

func zipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b) // a buffer takes all
	w.Close()
	return z.Bytes()
}

// fourFiles are three images to train on and two to test on, of 2 x 1 pixels.
func fourFiles() [4][]byte {
	return [4][]byte{
		idxBytes([]int{3, 2, 1}, 10, 11, 12, 13, 14, 15),
		idxBytes([]int{3}, 0, 9, 4),
		idxBytes([]int{2, 2, 1}, 255, 254, 0, 1),
		idxBytes([]int{2}, 7, 7),
	}
}

func folder(t *testing.T, files [4][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range mnistFiles {
		put(t, dir, name, files[i])
	}
	return dir
}

func TestMNIST(t *testing.T) {
	dir := folder(t, fourFiles())
	s := open(t, dir, "mnist")
	if s.Name != "mnist" || s.N != 5 || s.In != 2 || s.Classes != 10 || s.Targets != 0 || s.Given != 2 {
		t.Errorf("got %+v", s)
	}
	if want := []uint32{0, 9, 4, 7, 7}; !slices.Equal(s.Y, want) {
		t.Errorf("labels %v; want %v", s.Y, want)
	}
	for i, v := range []int64{10, 11, 12, 13, 14, 15, 255, 254, 0, 1} {
		if want, _ := big.NewRat(v, 255).Float32(); s.X[i] != want {
			t.Errorf("input %d is %v; want %v", i, s.X[i], want)
		}
	}
}

// TestPixels: an input is the float32 nearest to pixel / 255, for every pixel.
func TestPixels(t *testing.T) {
	files := fourFiles()
	files[0], files[1] = idxtest.IDX(1, 16, 16), idxBytes([]int{1}, 0)
	files[2], files[3] = idxBytes([]int{1, 16, 16}, make([]byte, 256)...), idxBytes([]int{1}, 0)
	for v := range 256 {
		files[0] = append(files[0], byte(v))
	}
	s := open(t, folder(t, files), "mnist")
	for v := range 256 {
		if want, _ := big.NewRat(int64(v), 255).Float32(); s.X[v] != want {
			t.Errorf("pixel %d gives %v; want %v", v, s.X[v], want)
		}
	}
}

// TestGzip: packed files hold the same set; where both are, the plain one is read.
func TestGzip(t *testing.T) {
	plain := folder(t, fourFiles())
	want := open(t, plain, "mnist")
	packed := t.TempDir()
	for i, name := range mnistFiles {
		put(t, plain, name+".gz", []byte("not read"))
		put(t, packed, name+".gz", zipped(fourFiles()[i]))
	}
	got := open(t, packed, "mnist")
	if got == want || got.Hash != want.Hash || got.Given != want.Given {
		t.Errorf("packed %x, %d given; want %x, %d", got.Hash, got.Given, want.Hash, want.Given)
	}
	again, err := readMNIST("mnist", plain)
	if err != nil || again.Hash != want.Hash {
		t.Errorf("beside packed files: %v", err)
	}
}

// TestIDXDamaged: for a file in place of the good one, the offset of the first wrong byte and what the error must say.
func TestIDXDamaged(t *testing.T) {
	images, labels := fourFiles()[0], fourFiles()[1]
	with := func(b []byte, at int, v byte) []byte {
		b = slices.Clone(b)
		b[at] = v
		return b
	}
	packed := zipped(images)
	var late bytes.Buffer // the end of its stream comes after the elements, not with them
	w := gzip.NewWriter(&late)
	w.Write(images)
	w.Flush()
	w.Close()
	checksum := late.Len() - 8
	for _, c := range []struct {
		number int // of mnistFiles
		gz     bool
		file   []byte
		offset int
		want   string
	}{
		{0, false, nil, 0, "the file ends; expected the magic 0x00000803: unsigned bytes of rank 3"},
		{0, false, images[:3], 3, "the file ends; expected the magic"},
		{0, false, []byte("<html>"), 0, "magic 0x3c68746d; expected 0x00000803"},
		{0, false, with(images, 1, 5), 1, "magic 0x00050803; expected 0x00000803"},
		{0, false, with(images, 2, 13), 2, "magic 0x00000d03; expected 0x00000803: unsigned bytes"},
		{0, false, labels, 3, "magic 0x00000801; expected 0x00000803: unsigned bytes of rank 3"},
		{1, false, images, 3, "magic 0x00000803; expected 0x00000801: unsigned bytes of rank 1"},
		{0, false, packed, 0, "magic 0x1f8b0800; expected 0x00000803: unsigned bytes of rank 3; a gzip stream must be called .gz"},
		{0, false, images[:4], 4, "the file ends; expected a header of 16 bytes"},
		{0, false, images[:15], 15, "the file ends; expected a header of 16 bytes"},
		{1, false, labels[:7], 7, "the file ends; expected a header of 8 bytes"},
		{0, false, idxBytes([]int{0, 2, 1}), 4, "dimensions [0 2 1]; expected at least 1 each and at most 67108864 elements in all"},
		{0, false, idxBytes([]int{3, 0, 1}), 8, "dimensions [3 0 1]; expected at least 1 each"},
		{2, false, idxBytes([]int{3, 2, 0}), 12, "dimensions [3 2 0]; expected at least 1 each"},
		{3, false, idxBytes([]int{0}), 4, "dimensions [0]; expected at least 1 each"},
		{0, false, idxBytes([]int{1<<32 - 1, 1, 1}), 4, "dimensions [4294967295 1 1]; expected at least 1 each and at most 67108864"},
		{0, false, idxBytes([]int{1 << 26, 1, 2}), 12, "dimensions [67108864 1 2]; expected at least 1 each and at most 67108864"},
		{0, false, idxBytes([]int{1 << 16, 1 << 16, 1 << 16}), 8, "at most 67108864 elements in all"},
		{1, false, idxBytes([]int{1<<26 + 1}), 4, "dimensions [67108865]; expected at least 1 each and at most 67108864"},
		{0, false, idxBytes([]int{1 << 26, 1, 1}, 7), 17, "the file ends; expected 67108880 bytes in all, by dimensions [67108864 1 1]"},
		{0, false, images[:len(images)-1], 21, "the file ends; expected 22 bytes in all, by dimensions [3 2 1]"},
		{1, false, labels[:8], 8, "the file ends; expected 11 bytes in all, by dimensions [3]"},
		{0, false, append(images[:22:22], 0), 22, "more bytes; expected the end of the file, by dimensions [3 2 1]"},
		{1, false, append(labels[:11:11], 0, 0), 11, "more bytes; expected the end of the file, by dimensions [3]"},
		{1, false, idxBytes([]int{2}, 1, 2), 4, "2 labels; expected 3, one per image of DIR/train-images-idx3-ubyte"},
		{3, false, idxBytes([]int{3}, 1, 2, 3), 4, "3 labels; expected 2, one per image of DIR/t10k-images-idx3-ubyte"},
		{2, false, idxBytes([]int{2, 1, 2}, 1, 2, 3, 4), 8, "images of 1 x 2; expected 2 x 1, as in DIR/train-images-idx3-ubyte"},
		{2, false, idxBytes([]int{1, 2, 2}, 1, 2, 3, 4), 8, "images of 2 x 2; expected 2 x 1, as in DIR/train-images-idx3-ubyte"},
		{1, false, with(labels, 9, 10), 9, "label 10; expected 0 to 9"},
		{3, false, with(fourFiles()[3], 8, 255), 8, "label 255; expected 0 to 9"},
		{0, true, nil, 0, "a damaged gzip stream (unexpected EOF); expected a whole one"},
		{0, true, images, 0, "a damaged gzip stream (gzip: invalid header); expected a whole one"},
		{0, true, with(packed, len(packed)-8, packed[len(packed)-8]+1), 22, "a damaged gzip stream (gzip: invalid checksum)"},
		{0, true, with(late.Bytes(), checksum, late.Bytes()[checksum]+1), 22, "a damaged gzip stream (gzip: invalid checksum)"},
		{0, true, late.Bytes()[:checksum], 22, "a damaged gzip stream (unexpected EOF)"},
		{0, true, packed[:len(packed)-9], 22, "a damaged gzip stream (unexpected EOF)"},
		{0, true, with(packed, 10, 0xff), 0, "a damaged gzip stream (flate: corrupt input"},
		{0, true, append(packed[:len(packed):len(packed)], "tail of the file"...), 22, "a damaged gzip stream (gzip: invalid header)"},
		{0, true, zipped(images[:20]), 20, "the file ends; expected 22 bytes in all"},
		{0, true, zipped(append(images[:22:22], 0)), 22, "more bytes; expected the end of the file"},
		{1, true, zipped(with(labels, 8, 11)), 8, "label 11; expected 0 to 9"},
	} {
		dir := folder(t, fourFiles())
		name := mnistFiles[c.number]
		if c.gz {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			name += ".gz"
		}
		put(t, dir, name, c.file)
		damaged(t, dir, name, c.offset, c.want)
	}
}

// damaged opens the set in dir and compares the error; DIR in want stands for the folder.
func damaged(t *testing.T, dir, name string, offset int, want string) {
	t.Helper()
	_, err := Source{Dir: dir}.Open("mnist")
	want = strings.ReplaceAll(want, "DIR", dir)
	if e, ok := errors.AsType[*FileError](err); !ok {
		t.Errorf("got %v; want a FileError with %q", err, want)
	} else if !strings.HasPrefix(err.Error(), "data mnist: ") || !strings.Contains(err.Error(), want) || e.Offset != offset || e.File != filepath.Join(dir, name) {
		t.Errorf("got %v; want %s, byte %d and %q", err, name, offset, want)
	}
}

func TestIDXNoFile(t *testing.T) {
	for i, name := range mnistFiles {
		dir := folder(t, fourFiles())
		path := filepath.Join(dir, name)
		os.Remove(path)
		_, err := Source{Dir: dir}.Open("mnist")
		if want := path + ": file does not exist, nor with .gz; expected a folder with train-images-idx3-ubyte"; !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
		put(t, dir, name+".gz", zipped(fourFiles()[i]))
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		damaged(t, dir, name, 0, "it is a directory; expected an IDX file")
		os.Remove(path)
		if err := os.Symlink(os.DevNull, path); err == nil {
			damaged(t, dir, name, 0, "it is a device or a pipe; expected an IDX file")
		}
	}
	broken := &fs.PathError{Op: "read", Path: "a", Err: errors.New("input/output error")}
	if _, err := decodeIDX("a", iotest.ErrReader(broken), 3); !errors.Is(err, broken) {
		t.Errorf("got %v; want %v", err, broken)
	}
}

// FuzzIDX: no input panics, or takes more memory than a small multiple of the bytes up to the first wrong one, unpacked;
// what is read is what the file says.
func FuzzIDX(f *testing.F) {
	for i, b := range fourFiles() {
		f.Add(b, i%2 == 1, false)
		f.Add(zipped(b), i%2 == 1, true)
	}
	f.Add(idxBytes([]int{1 << 26, 1, 1}, 1, 2), false, false)
	f.Add(zipped(idxBytes([]int{1 << 26}, 1, 2)), true, true)
	f.Add(zipped(idxBytes([]int{1, 1, 1}, make([]byte, 1<<20)...)), false, true)
	f.Fuzz(func(t *testing.T, b []byte, labels, gz bool) {
		name, rank, plain := "fuzz", 3, b
		if labels {
			rank = 1
		}
		if gz {
			name, plain = "fuzz.gz", nil
			if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
				plain, _ = io.ReadAll(z) // as much as can be unpacked
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		x, err := decodeIDX(name, bytes.NewReader(b), rank)
		runtime.ReadMemStats(&after)
		read := len(plain)
		if err == nil {
			if !bytes.Equal(append(idxtest.IDX(x.dims...), x.b...), plain) {
				t.Fatalf("read %v %v from %v", x.dims, x.b, plain)
			}
		} else if e, ok := errors.AsType[*FileError](err); !ok || e.Offset < 0 || e.Offset > read {
			t.Fatalf("got %v; want a FileError at most at byte %d", err, read)
		} else {
			read = e.Offset
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(4*read+1<<17) {
			t.Fatalf("%d bytes taken to read %d", took, read)
		}
	})
}
