package exhaustive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lockstep/op"
)

//go:embed digests.txt
var digestsText []byte

//go:embed blocks.gz
var blocksGZ []byte

// Sums are the digests of one function.
type Sums struct {
	All    [sha256.Size]byte
	Blocks [Blocks]mark
}

// mark is the start of a block's digest.
type mark [4]byte

func markOf(sum [sha256.Size]byte) mark { return mark(sum[:len(mark{})]) }

// Committed are the laws' digests, by function. Error: the files are damaged, or of another law.
func Committed() (map[string]Sums, error) { return read(digestsText, blocksGZ) }

// header is the first line of digests.txt.
var header = fmt.Sprintf("law %d", op.Version)

// read parses what write has written. A function whose line is gone from digests.txt is gone.
func read(digests, blocks []byte) (map[string]Sums, error) {
	lists, err := readBlocks(blocks)
	if err != nil {
		return nil, fmt.Errorf("blocks.gz: %w", err)
	}
	all, s := map[string]Sums{}, bufio.NewScanner(bytes.NewReader(digests))
	if !s.Scan() || s.Text() != header {
		return nil, fmt.Errorf("digests.txt begins with %q; want %q, and no line of a function whose law has changed", s.Text(), header)
	}
	for s.Scan() {
		name, sum, _ := strings.Cut(s.Text(), " ")
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("digests.txt: %q; want a function and 64 hexadecimal digits", s.Text())
		}
		list, ok := lists[name]
		if !ok {
			return nil, fmt.Errorf("blocks.gz has no list for %s of digests.txt", name)
		}
		all[name] = Sums{[sha256.Size]byte(b), list}
	}
	return all, s.Err()
}

// readBlocks reads lists, each behind a line with its function's name.
func readBlocks(blocks []byte) (lists map[string][Blocks]mark, err error) {
	z, err := gzip.NewReader(bytes.NewReader(blocks))
	if err != nil {
		return nil, err
	}
	lists = map[string][Blocks]mark{}
	for r := bufio.NewReader(z); ; {
		name, err := r.ReadString('\n')
		if err == io.EOF && name == "" {
			return lists, nil
		}
		if err != nil {
			return nil, err
		}
		var list [Blocks]mark
		for i := range list {
			if _, err := io.ReadFull(r, list[i][:]); err != nil {
				return nil, fmt.Errorf("block %d of %s: %w", i, strings.TrimSpace(name), err)
			}
		}
		lists[strings.TrimSpace(name)] = list
	}
}

// write replaces the two files in dir: the functions in the order of Functions.
func write(dir string, all map[string]Sums) error {
	var text, blocks bytes.Buffer
	z, err := gzip.NewWriterLevel(&blocks, gzip.BestCompression)
	if err != nil {
		return err
	}
	fmt.Fprintln(&text, header)
	for _, f := range Functions() {
		sums, ok := all[f.String()]
		if !ok {
			continue
		}
		fmt.Fprintf(&text, "%s %x\n", f, sums.All)
		list := []byte(f.String() + "\n")
		for _, m := range sums.Blocks {
			list = append(list, m[:]...)
		}
		if _, err := z.Write(list); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "blocks.gz"), blocks.Bytes(), 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "digests.txt"), text.Bytes(), 0o666)
}
