package data

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mnistFiles are the images and labels to train on and those to test on: IDX files, plain or with .gz after the name.
var mnistFiles = [4]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}

const (
	mnistClasses = 10
	idxMost      = 1 << 26 // elements of a file: 64 MiB, and 256 MiB as inputs; MNIST's largest has 47,040,000
)

// idx is what an IDX file of bytes holds.
type idx struct {
	file string // as it was opened
	dims []int  // [rows] of labels; [rows, height, width] of images
	b    []byte // row-major
}

// readMNIST reads a data set laid out as MNIST is (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/), such as
// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747), whole or cut, from the four files in dir. An input is
// pixel / 255 in float32, the rows of an image one after the other; the rows to train on come first, those to test on are
// Given.
func readMNIST(name, dir string) (*Set, error) {
	var parts [len(mnistFiles)]*idx
	for i, f := range mnistFiles {
		rank := [2]int{3, 1}[i%2]
		p, err := readIDX(filepath.Join(dir, f), rank)
		if err == nil && rank == 1 {
			err = labelsFit(p, parts[i-1])
		} else if err == nil && i > 0 {
			err = sizesFit(p, parts[0])
		}
		if err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
		parts[i] = p
	}
	var unit [256]float32
	for v := range unit {
		unit[v] = float32(v) / 255
	}
	train, test := parts[0], parts[2]
	s := &Set{Name: name, N: train.dims[0] + test.dims[0], In: train.dims[1] * train.dims[2], Classes: mnistClasses, Given: test.dims[0]}
	s.X, s.Y = make([]float32, 0, s.N*s.In), make([]uint32, 0, s.N)
	for i := 0; i < len(parts); i += 2 {
		for _, v := range parts[i].b {
			s.X = append(s.X, unit[v])
		}
		for _, y := range parts[i+1].b {
			s.Y = append(s.Y, uint32(y))
		}
	}
	return s.seal()
}

// labelsFit checks labels against their images.
func labelsFit(labels, images *idx) error {
	if labels.dims[0] != images.dims[0] {
		return &FileError{labels.file, 4, fmt.Sprintf("%d labels", labels.dims[0]), fmt.Sprintf("%d, one per image of %s", images.dims[0], images.file)}
	}
	for i, y := range labels.b {
		if y >= mnistClasses {
			return &FileError{labels.file, 8 + i, fmt.Sprintf("label %d", y), fmt.Sprintf("0 to %d", mnistClasses-1)}
		}
	}
	return nil
}

// sizesFit checks the size of test images against that of the training images.
func sizesFit(test, train *idx) error {
	if test.dims[1] != train.dims[1] || test.dims[2] != train.dims[2] {
		return &FileError{test.file, 8, fmt.Sprintf("images of %d x %d", test.dims[1], test.dims[2]),
			fmt.Sprintf("%d x %d, as in %s", train.dims[1], train.dims[2], train.file)}
	}
	return nil
}

// readIDX reads the IDX file of bytes of the given rank at path or, if there is none, at path with .gz. Errors: those of
// the file system, and FileError.
func readIDX(path string, rank int) (*idx, error) {
	file, err := plainOrGzip(path)
	if err != nil {
		return nil, err
	}
	f, _, err := openFile(file, "an IDX file")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decodeIDX(file, f, rank)
}

func plainOrGzip(path string) (string, error) {
	for _, file := range []string{path, path + ".gz"} {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		return file, nil
	}
	return "", fmt.Errorf("%s: %w, nor with .gz; expected a folder with %s, plain or .gz", path, fs.ErrNotExist, strings.Join(mnistFiles[:], ", "))
}

// decodeIDX reads an IDX file of bytes of the given rank to its end; if it is called .gz, what it unpacks to. The format,
// from the page of MNIST: the magic 0x00000800 + rank (two zero bytes, the type of the elements, 8 for unsigned bytes, and
// the rank); the dimensions; the elements, row-major, a byte each. Magic and dimensions are u32, big endian. It takes no
// more memory than a small multiple of the bytes that are there, whatever the dimensions promise.
func decodeIDX(file string, r io.Reader, rank int) (*idx, error) {
	in := idxReader{file: file, r: r}
	if strings.HasSuffix(file, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, in.broken(err)
		}
		in.r = z
	}
	if err := in.magic(rank); err != nil {
		return nil, err
	}
	dims, n, err := in.dims(rank)
	if err != nil {
		return nil, err
	}
	b, err := in.next(n, fmt.Sprintf("%d bytes in all, by dimensions %d", in.at+n, dims))
	if err != nil {
		return nil, err
	}
	if err := in.end(dims); err != nil {
		return nil, err
	}
	return &idx{file, dims, b}, nil
}

// idxReader walks the file.
type idxReader struct {
	file string
	r    io.Reader
	at   int // the next byte
}

// next reads n bytes; want says what is missing if the file ends before. It allocates as the bytes come.
func (in *idxReader) next(n int, want string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(in.r, int64(n)))
	in.at += len(b)
	switch {
	case err != nil:
		return nil, in.broken(err)
	case len(b) < n:
		return nil, &FileError{in.file, in.at, "the file ends", want}
	}
	return b, nil
}

func (in *idxReader) magic(rank int) error {
	want := []byte{0, 0, 8, byte(rank)}
	right := fmt.Sprintf("0x%08x: unsigned bytes of rank %d", want, rank)
	got, err := in.next(len(want), "the magic "+right)
	if err != nil {
		return err
	}
	for i := range want {
		switch {
		case got[i] == want[i]:
			continue
		case got[0] == 0x1f && got[1] == 0x8b:
			right += "; a gzip stream must be called .gz"
		}
		return &FileError{in.file, i, fmt.Sprintf("magic 0x%08x", got), right}
	}
	return nil
}

// dims reads the dimensions; n is their product.
func (in *idxReader) dims(rank int) (dims []int, n int, err error) {
	start := in.at
	b, err := in.next(4*rank, fmt.Sprintf("a header of %d bytes", start+4*rank))
	if err != nil {
		return nil, 0, err
	}
	sizes := make([]uint32, rank)
	for i := range sizes {
		sizes[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	n = 1
	for i, d := range sizes {
		if d == 0 || d > uint32(idxMost/n) {
			return nil, 0, &FileError{in.file, start + 4*i, fmt.Sprintf("dimensions %d", sizes),
				fmt.Sprintf("at least 1 each and at most %d elements in all", idxMost)}
		}
		n *= int(d)
		dims = append(dims, int(d))
	}
	return dims, n, nil
}

// end checks that nothing follows, and with it the checksum of a gzip stream.
func (in *idxReader) end(dims []int) error {
	switch n, err := io.ReadFull(in.r, make([]byte, 1)); {
	case n > 0:
		return &FileError{in.file, in.at, "more bytes", fmt.Sprintf("the end of the file, by dimensions %d", dims)}
	case err != io.EOF:
		return in.broken(err)
	}
	return nil
}

// broken is the error for a read that failed: the file system's, or else the unpacking's.
func (in *idxReader) broken(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	if err == io.EOF { // of an empty file
		err = io.ErrUnexpectedEOF
	}
	return &FileError{in.file, in.at, fmt.Sprintf("a damaged gzip stream (%v)", err), "a whole one; the byte is one of what it unpacks to"}
}
