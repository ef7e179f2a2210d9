package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/op"
)

// Where all of a result is too much for the law, some rows are compared, whichever axis of an operand they come from.
func TestSomeRowsAreChecked(t *testing.T) {
	small := []row{
		matmul(40, 30, 20, op.MatMul{}, []int{3}), matmul(40, 30, 20, op.MatMul{TA: true}, []int{3}), matmul(40, 30, 20, op.MatMul{TB: true}, []int{3}),
		{"matmuljvp/x", []int{3}, "GMAC/s", operands(cell(40, 30).byRow(0), cell(30, 20), cell(40, 30).byRow(0), cell(30, 20)), one(op.MatMulJVP{})},
		{"transpose/x", []int{3}, "GB/s", operands(cell(30, 40).byRow(1)), one(op.Transpose{Perm: "1,0"})},
		{"xentgrad/x", []int{3}, "GB/s", operands(cell(40, 10).byRow(0), below(10, 40, 1).byRow(0), cell(40, 1).byRow(0)), one(op.XentGrad{})},
		{"xent/x", []int{3}, "GB/s", operands(cell(40, 10).byRow(0), below(10, 40, 1).byRow(0)), one(op.Xent{})},
	}
	for _, k := range small {
		c := &Case{Name: k.name, Cells: 3, Unit: k.unit, in: k.in, body: k.body}
		work, err := c.work()
		if err != nil {
			t.Fatal(err)
		}
		o := options(t, engine(t))
		o.CheckWork = work.all()/3 - 1
		if r, err := Measure(context.Background(), c, o, peak); err != nil || r.Checked != "law, 8 rows" || r.Share != 8./40 {
			t.Errorf("%s: checked %q, %v of it, %v; want 8 rows of 40", c.Name, r.Checked, r.Share, err)
		}
		o.CheckWork++
		if r, err := Measure(context.Background(), c, o, peak); err != nil || r.Checked != "law" || r.Share != 1 {
			t.Errorf("%s: checked %q, %v of it, %v; want all", c.Name, r.Checked, r.Share, err)
		}
		o.CheckWork = 10
		if r, err := Measure(context.Background(), c, o, peak); err != nil || r.Checked != "" || r.Share != 0 {
			t.Errorf("%s: checked %q, %v of it, %v; want that even rows are too much work", c.Name, r.Checked, r.Share, err)
		}
		for _, compared := range []int{0, 22, 39} { // rows of 40
			width := 4 * int(work.Words) / 3 / 40
			o := options(t, wrong{engine(t), compared*width + width/2})
			o.CheckWork = work.all()/3 - 1
			word := fmt.Sprintf("word %d of result", (compared*width+width/2)/4)
			if _, err := Measure(context.Background(), c, o, peak); err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), "of cell 2 ") {
				t.Errorf("%s, a wrong bit in row %d: %v; want %s", c.Name, compared, err, word)
			}
		}
	}
}

// The largest products, too, are compared, with what the command gives the law to do.
func TestLargeProductsAreChecked(t *testing.T) {
	const lawWork = 1 << 23 // cmd/lockstep/bench.go
	for _, c := range Cases() {
		if c.Family() != "matmul" && c.Family() != "matmuljvp" {
			continue
		}
		work, err := c.work()
		if err != nil {
			t.Fatal(err)
		}
		if work.all()/int64(c.Cells) <= lawWork {
			continue
		}
		p := part{Case: *c, pool: pool{cut: nil}}
		p.pool.data = make([][]byte, len(c.in))
		for i, o := range c.in {
			p.pool.data[i] = make([]byte, 4*(o.Words()+spread))
			p.pool.size = append(p.pool.size, 4*o.Words())
		}
		p.Cells = 1
		if !p.cut() {
			t.Fatalf("%s has no rows", c.Name)
		}
		if work, err := p.work(); err != nil || work.all() > partWork*lawWork {
			t.Errorf("%s: 8 rows are %+v, %v; want at most %d", c.Name, work, err, partWork*lawWork)
		}
	}
	o := options(t, engine(t))
	o.CheckWork, o.Time, o.Quick = lawWork, 20*time.Millisecond, true
	if r, err := Measure(context.Background(), named(t, "matmul/512x512x512/cells=1"), o, peak); err != nil || r.Checked != cpu.Law+", 8 rows" || r.Share != 8./512 {
		t.Errorf("%+v, %v", r, err)
	}
}
