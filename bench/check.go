package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

const (
	partRows = 8  // of a result that are compared where all of it is too much work
	partWork = 32 // how many times Options.CheckWork these may be: 8 rows of a product of 4096^3 are 24 times that of the laws
)

// part is what is compared of a case: some rows of the results of its last cell, or all of them as one long row.
type part struct {
	Case
	pool pool
	rows []int // nil: all
	of   int   // rows that there are
}

// check compares the results of the last cell with those of another engine: all of them, or some rows where that is too much work for
// it; nothing where some rows are too much, too, or where a row takes all of the operands.
func (c *Case) check(ctx context.Context, o *Options, w *workload, pack graph.Pack, pool *pool, p *graph.Program) error {
	if o.Check == nil {
		return nil
	}
	some := part{*c, *pool, nil, 1}
	some.Cells, some.pool.cell = 1, c.Cells-1
	if w.work.all()/int64(c.Cells) > o.CheckWork {
		if !some.cut() {
			return nil
		}
		if work, err := some.work(); err != nil || work.all() > partWork*o.CheckWork {
			return err
		}
	}
	other, err := o.Check.NewPack(1, some.groups())
	if err != nil {
		return err
	}
	defer other.Close()
	x, q, err := some.compile(other, &some.pool, nil, 1, true)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Run(ctx, 1); err != nil {
		return err
	}
	for i, out := range p.Out {
		got := make([]byte, 4*p.OutType(out).Words())
		want := make([]byte, 4*q.OutType(q.Out[i]).Words())
		if err := errors.Join(pack.Read(out.Name, c.Cells-1, got), other.Read(out.Name, 0, want)); err != nil {
			return err
		}
		if err := some.compare(out.Name, o.CheckName, got, want); err != nil {
			return err
		}
	}
	w.checked, w.share = o.CheckName, 1
	if some.rows != nil {
		w.checked, w.share = fmt.Sprintf("%s, %d rows", o.CheckName, len(some.rows)), float64(len(some.rows))/float64(some.of)
	}
	return nil
}

// cut leaves the first row, the last, and some between them that lie evenly: so at different places of a kernel's tiles. false: the
// case has no rows, or so few that nothing would be saved.
func (p *part) cut() bool {
	in := append([]operand(nil), p.in...)
	p.pool.cut = make([][]byte, len(in))
	for i := range in {
		if in[i].row == 0 {
			continue
		}
		axis := in[i].row - 1
		p.of = in[i].At(axis)
		if p.of <= partRows {
			return false
		}
		p.rows = nil
		for j := range partRows {
			p.rows = append(p.rows, j*(p.of-1)/(partRows-1))
		}
		p.pool.cut[i] = entries(p.pool.at(0, i, p.pool.cell), in[i].Dims(), axis, p.rows)
		dims := append([]int(nil), in[i].Dims()...)
		dims[axis] = partRows
		in[i].Shape = op.S(dims...)
	}
	p.in = in
	return p.rows != nil
}

// entries copies some entries of an axis of an array of words.
func entries(words []byte, dims []int, axis int, some []int) (out []byte) {
	outer, inner := 1, 4
	for i, n := range dims {
		switch {
		case i < axis:
			outer *= n
		case i > axis:
			inner *= n
		}
	}
	for i := range outer {
		for _, j := range some {
			from := (i*dims[axis] + j) * inner
			out = append(out, words[from:from+inner]...)
		}
	}
	return out
}

// compare holds a whole result against the part that another engine computed.
func (p *part) compare(name, by string, got, want []byte) error {
	rows, width := []int{0}, len(got)
	if p.rows != nil {
		rows, width = p.rows, len(got)/p.of
	}
	if len(want) != len(rows)*width {
		return fmt.Errorf("%s: %d bytes of result %s were computed to compare with; want %d rows of %d", p.Name, len(want), name, len(rows), width)
	}
	for i, r := range rows {
		g, w := got[r*width:(r+1)*width], want[i*width:(i+1)*width]
		if at := mismatch(g, w); at >= 0 {
			return fmt.Errorf("%s: word %d of result %s of cell %d is %x, and %x on the %s engine: a kernel is wrong, and its time worthless",
				p.Name, r*width/4+at, name, p.pool.cell, g[4*at:4*at+4], w[4*at:4*at+4], by)
		}
	}
	return nil
}

// mismatch is the first word that differs; -1: none.
func mismatch(a, b []byte) int {
	for i := 0; i < len(a); i += 4 {
		if !bytes.Equal(a[i:i+4], b[i:i+4]) {
			return i / 4
		}
	}
	return -1
}
