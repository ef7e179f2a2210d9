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

// read parses the two files. A function whose line is gone from digests.txt is gone.
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
