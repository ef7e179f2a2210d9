package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"lockstep/analysis/curvature"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
	"lockstep/probe"
	"lockstep/sweep"
)

// productResult is what curvature product prints.
type productResult struct {
	Card        string   `json:"card"`
	Cells       []string `json:"cells"`
	Kind        string   `json:"kind"`
	Models      int      `json:"models"`
	Vectors     int      `json:"vectors"` // of each model
	Size        int      `json:"size"`    // of the matrix
	Rows        int      `json:"rows"`
	Batch       int      `json:"batch"`
	Block       string   `json:"block,omitempty"`    // "": all parameters
	Subspace    int      `json:"subspace,omitempty"` // dimensions; 0: none
	Seed        uint64   `json:"seed"`               // of what the Fisher matrix draws
	Parameters  string   `json:"parameters"`         // where they are from
	Conventions []string `json:"conventions"`
	Out         string   `json:"out"`
	SHA256      string   `json:"sha256"` // of OUT's elements, float32 little endian
}

func curvatureProduct(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("curvature product takes flags alone; got %d arguments, %q the first", c.NArg(), c.Args().First())
	}
	for _, name := range []string{"card", "vector", "o", "params", "inputs", "labels"} {
		if c.IsSet(name) && c.String(name) == "" {
			return fmt.Errorf("--%s names no file", name)
		}
	}
	card, cells, _, err := cardCells(c, c.String("card"))
	if err != nil {
		return err
	}
	m, err := matrixOf(c, cells)
	if err != nil {
		return err
	}
	if m.X, m.Y, err = rowsOf(c, m.Cells[0]); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	block, err := m.Block(c.String("block"))
	if err != nil {
		return fmt.Errorf("--block: %w", err)
	}
	theta, err := paramsOf(c, m.Cells)
	if err != nil {
		return err
	}
	models := len(m.Cells)
	if theta != nil {
		models = len(theta)
	}
	v, vectors, err := vectorsOf(c, models, m.Size(block))
	if err != nil {
		return err
	}
	checked := m.Objective(theta, block)
	if theta == nil {
		checked.Theta = [][]float32{make([]float32, checked.Model.D())}
	}
	if err := checked.Check(); err != nil {
		return err
	}
	if err := writable(c, "o"); err != nil {
		return err
	}
	engine, err := engineOf(c)
	if err != nil {
		return err
	}
	defer engine.Close()
	r := productResult{Card: card, Kind: string(m.Kind), Models: models, Vectors: vectors, Size: m.Size(block), Rows: m.Rows, Batch: m.Batch, Block: c.String("block"), Subspace: m.Subspace, Seed: m.Seed, Parameters: c.String("params"),
		Conventions: m.Conventions(c.String("block")), Out: c.String("o")}
	for _, cell := range m.Cells {
		r.Cells = append(r.Cells, cell.Name())
	}
	if theta == nil {
		r.Parameters = "theta0 of the cells' seeds"
		if theta, err = probe.Beginnings(c.Context, m.Cells, engine); err != nil {
			return err
		}
	}
	out, err := multiply(c, engine, m.Objective(theta, block), v.F(), vectors)
	if err != nil {
		return err
	}
	t := op.Float32s(v.Shape, out...)
	h := sha256.Sum256(op.Bytes(t.W))
	r.SHA256 = hex.EncodeToString(h[:])
	if err := data.WriteNPY(r.Out, t); err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(r)
	}
	w := c.App.Writer
	fmt.Fprintf(w, "models: %d, with a matrix of size %d; vectors of each: %d; parameters: %s\n", r.Models, r.Size, r.Vectors, r.Parameters)
	for _, line := range r.Conventions {
		fmt.Fprintln(w, line)
	}
	_, err = fmt.Fprintf(w, "wrote %s\nsha256 of its elements, float32 little endian: %s\n", r.Out, r.SHA256)
	return err
}

// multiply gives the products of vectors f32[models, vectors, N], in one pack.
func multiply(c *cli.Context, e graph.Engine, o *curvature.Objective, v []float32, vectors int) ([]float32, error) {
	a, err := o.Operator()
	if err != nil {
		return nil, err
	}
	if err := probe.Fits(e, a, vectors, 0); err != nil {
		return nil, err
	}
	s, err := curvature.New(e, a, curvature.Options{Vectors: vectors})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out, err := s.Multiply(c.Context, v)
	if err == nil {
		err = probe.Finite("the products", out)
	}
	return out, err
}

// vectorsOf reads --vector, for so many models with a matrix of size n; vectors is how many each model has.
func vectorsOf(c *cli.Context, models, n int) (v op.Tensor, vectors int, err error) {
	path := c.String("vector")
	if v, err = data.ReadNPY(path); err != nil {
		return v, 0, err
	}
	want := fmt.Sprintf("f32[%d], f32[K, %d] or f32[1, K, %d]", n, n, n)
	if models > 1 {
		want = fmt.Sprintf("f32[%d, K, %d], for there are %d models", models, n, models)
	}
	wrong := fmt.Errorf("%s: %s; want %s", path, shapeOf(v), want)
	if v.DType != op.F32 || v.Rank < 1 || v.Rank > 3 || models > 1 && v.Rank != 3 || v.At(int(v.Rank)-1) != n || v.Rank == 3 && v.At(0) != models {
		return v, 0, wrong
	}
	vectors = 1
	if v.Rank > 1 {
		vectors = v.At(int(v.Rank) - 2)
	}
	if vectors < 1 {
		return v, 0, wrong
	}
	return v, vectors, probe.Finite(path, v.F())
}

// rowsOf reads --inputs and --labels; tensors of rank 0 where they are not given.
func rowsOf(c *cli.Context, cell sweep.Cell) (x, y op.Tensor, err error) {
	in := cell.Model.In
	switch {
	case c.IsSet("labels") && !c.IsSet("inputs") && in > 0 || c.IsSet("inputs") && !c.IsSet("labels"):
		return x, y, fmt.Errorf("--inputs and --labels belong together")
	case !c.IsSet("labels"):
		return x, y, nil
	case c.IsSet("inputs") && in == 0:
		return x, y, fmt.Errorf("--inputs: the model of cell (%s) has no inputs", cell.Name())
	}
	if y, err = targetsOf(c.String("labels"), cell); err != nil || in == 0 {
		return x, y, err
	}
	path := c.String("inputs")
	if x, err = data.ReadNPY(path); err != nil {
		return x, y, err
	}
	tokens := cell.Model.Vocab > 0 && (x.DType == op.U32 || x.DType == op.I32)
	if x.Rank != 2 || x.At(1) != in || x.DType != op.F32 && !tokens {
		return x, y, fmt.Errorf("%s: %s; the model of cell (%s) wants inputs f32[rows, %d]", path, shapeOf(x), cell.Name(), in)
	}
	if x.At(0) != y.At(0) {
		return x, y, fmt.Errorf("%s has %d rows, and %s has %d; want as many", path, x.At(0), c.String("labels"), y.At(0))
	}
	if tokens {
		f := op.New(op.T(op.F32, op.Shared, x.Dims()...))
		for i, w := range x.W {
			f.SetF(i, float32(min(w, math.MaxInt32))) // a negative one is beyond any vocabulary
		}
		x = f
	}
	if err := probe.Finite(path, x.F()); err != nil {
		return x, y, err
	}
	if v := cell.Model.Vocab; v > 0 {
		for i, t := range x.F() {
			if !(t >= 0 && t < float32(v) && t == float32(int(t))) {
				return x, y, fmt.Errorf("%s: number %d is %v; tokens are whole numbers below %d", path, i, t, v)
			}
		}
	}
	return x, y, nil
}

// targetsOf reads labels or targets, as the cell's loss takes them.
func targetsOf(path string, cell sweep.Cell) (y op.Tensor, err error) {
	if y, err = data.ReadNPY(path); err != nil {
		return y, err
	}
	whole := y.DType == op.U32 || y.DType == op.I32 || y.DType == op.I8
	if cell.Loss() == model.CrossEntropy {
		if !whole || y.Rank < 1 || y.Rank > 2 || y.Rank == 2 && y.At(1) != 1 || y.At(0) < 1 {
			return y, fmt.Errorf("%s: %s; %s wants labels, u32 or i32 [rows] or [rows, 1]", path, shapeOf(y), cell.Loss())
		}
		labels := op.New(op.T(op.U32, op.Shared, y.At(0), 1))
		for i := range labels.W {
			n := int64(y.W[min(i, len(y.W)-1)])
			switch y.DType {
			case op.I32:
				n = int64(int32(n))
			case op.I8:
				n = int64(y.Int8(i))
			}
			if n < 0 || n >= int64(cell.Model.Out()) {
				return y, fmt.Errorf("%s: label %d of row %d; the model of cell (%s) has %d classes, 0 to %d", path, n, i, cell.Name(), cell.Model.Out(), cell.Model.Out()-1)
			}
			labels.W[i] = uint32(n)
		}
		return labels, nil
	}
	if y.DType == op.F32 && y.Rank == 1 {
		y = op.Words32(op.F32, op.S(y.At(0), 1), y.W...)
	}
	if y.DType != op.F32 || y.Rank != 2 || y.At(0) < 1 || y.At(1) < 1 {
		return y, fmt.Errorf("%s: %s; %s wants targets f32[rows, outputs]", path, shapeOf(y), cell.Loss())
	}
	return y, probe.Finite(path, y.F())
}
