package model

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// descend runs a rule on the quadratic loss sum(a * z^2) / 2, whose gradient is a * z, and returns z after each step.
func descend(t *testing.T, r Rule, steps int) [][]float32 {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	p, err := graph.Trace(func(b *graph.Builder) {
		z := b.State("z", b.Input("z0", op.T(op.F32, op.Shared, 1, 3)), op.Cell)
		step := b.State("step", b.FillU(0), op.Cell)
		k := map[string]op.Value{}
		for _, c := range r.Constants() {
			k[c.Name] = b.Input(c.Name, op.T(op.F32, op.Cell))
		}
		g := b.Do(op.Mul, b.Input("a", op.T(op.F32, op.Shared, 1, 3)), z)
		b.Next(z, r.Update(b, k, step, b.Fill(float32(steps)), 0, z, g))
		b.Next(step, b.Do(op.IAdd{}, step, b.FillU(1)))
	})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pack, err := engine.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, typ op.Type, x ...float32) {
		var b []byte
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		if err := pack.Put(name, typ, 0, b); err != nil {
			t.Fatal(err)
		}
	}
	put("z0", op.T(op.F32, op.Shared, 1, 3), start32...)
	put("a", op.T(op.F32, op.Shared, 1, 3), curvature32...)
	for _, c := range r.Constants() {
		put(c.Name, op.T(op.F32, op.Cell), c.Value)
	}
	x, err := pack.Compile(p)
	if err == nil {
		err = x.Reset(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	var path [][]float32
	for range steps {
		b := make([]byte, 12)
		if err := x.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if err := pack.Read("z", 0, b); err != nil {
			t.Fatal(err)
		}
		var z []float32
		for i := range 3 {
			z = append(z, math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
		path = append(path, z)
	}
	return path
}

var (
	start32     = []float32{1, -2, 0.3}
	curvature32 = []float32{1, 0.01, 7}
)

func decimals(r Rule) (lr, mu, b1, b2, eps, wd, gamma float64) {
	f := func(d Decimal) float64 { x, _ := d.Rat().Float64(); return x }
	return f(r.LR), f(r.Mu), f(r.B1), f(r.B2), f(r.Eps), f(r.WD), f(r.Schedule.Gamma)
}

// textbook is the rule as its paper writes it, in float64, with powers where lockstep keeps recursions.
func textbook(r Rule, steps int) [][]float64 {
	lr0, mu, b1, b2, eps, wd, gamma := decimals(r)
	var z, m, v [3]float64
	for i := range z {
		z[i] = float64(start32[i])
	}
	var path [][]float64
	for s := range steps {
		lr, t := lr0, float64(s+1)
		switch r.Schedule.Type {
		case "cosine":
			lr *= (1 + math.Cos(math.Pi*float64(s)/float64(steps))) / 2
		case "step":
			lr *= math.Pow(gamma, float64(s/r.Schedule.Every))
		}
		clip, norm := 1., 0.
		for i := range z {
			norm = math.Hypot(norm, float64(curvature32[i])*z[i])
		}
		if r.Clips() {
			c, _ := r.Clip.Rat().Float64()
			clip = min(1, c/(norm+1e-6))
		}
		for i := range z {
			g := float64(curvature32[i]) * z[i] * clip
			switch r.Type {
			case "sgd":
				z[i] -= lr * g
			case "momentum":
				v[i] = mu*v[i] + g
				z[i] -= lr * v[i]
			case "adamw", "adam":
				m[i] = b1*m[i] + (1-b1)*g
				v[i] = b2*v[i] + (1-b2)*g*g
				if r.Type == "adamw" {
					z[i] *= 1 - lr*wd
				}
				z[i] -= lr * (m[i] / (1 - math.Pow(b1, t))) / (math.Sqrt(v[i]/(1-math.Pow(b2, t))) + eps)
			}
		}
		path = append(path, []float64{z[0], z[1], z[2]})
	}
	return path
}

func TestRulesAreTheTextbooks(t *testing.T) {
	schedules := []Schedule{{Type: "constant"}, {Type: "cosine"}, {Type: "step", Every: 3, Gamma: Dec("0.5")}}
	for _, base := range []Rule{
		{Type: "sgd", LR: Dec("0.1")},
		{Type: "momentum", LR: Dec("0.05"), Mu: Dec("0.9")},
		{Type: "adam", LR: Dec("0.1"), B1: Dec("0.9"), B2: Dec("0.999"), Eps: Dec("1e-8")},
		{Type: "adam", LR: Dec("0.1"), B1: Dec("0.5"), B2: Dec("0.7"), Eps: Dec("0.3")},
		{Type: "adamw", LR: Dec("0.1"), B1: Dec("0.9"), B2: Dec("0.99"), Eps: Dec("1e-8"), WD: Dec("0.2")},
		{Type: "sgd", LR: Dec("0.1"), Clip: Dec("1.5")}, // the gradient's norm is 2.3 at first, and below 1.5 later
		{Type: "adamw", LR: Dec("0.1"), B1: Dec("0.9"), B2: Dec("0.99"), Eps: Dec("1e-8"), WD: Dec("0.2"), Clip: Dec("0.4")},
	} {
		for _, s := range schedules {
			r := base
			r.Schedule = s
			const steps = 25
			got, want := descend(t, r, steps), textbook(r, steps)
			for step := range got {
				for i := range got[step] {
					// Adam's ratio m / sqrt(v) is of size 1, so errors stay near steps * lr * 2^-22.
					if d := math.Abs(float64(got[step][i]) - want[step][i]); !(d < 5e-6) {
						t.Fatalf("%s, %s: z[%d] after step %d is %v; the textbook's is %v", r.Type, s.Type, i, step+1, got[step][i], want[step][i])
					}
				}
			}
		}
	}
}

// The order of roundings of Adam is law: the first two steps by hand.
func TestAdamsRoundings(t *testing.T) {
	r := Rule{Type: "adam", LR: Dec("0.1"), B1: Dec("0.9"), B2: Dec("0.999"), Eps: Dec("1e-8"), Schedule: Schedule{Type: "constant"}}
	k := map[string]float32{}
	for _, c := range r.Constants() {
		k[c.Name] = c.Value
	}
	var m, v, q1, q2 float32
	z := start32[2]
	path := descend(t, r, 5)
	for step := range path {
		g := float32(curvature32[2] * z)
		m = float32(k["b1"]*m) + float32(k["c1"]*g)
		v = float32(k["b2"]*v) + float32(k["c2"]*float32(g*g))
		q1 = float32(k["b1"]*q1) + k["c1"]
		q2 = float32(k["b2"]*q2) + k["c2"]
		root := float32(math.Sqrt(float64(float32(v / q2))))
		ratio := float32(float32(m/q1) / float32(root+k["eps"]))
		z -= float32(k["lr"] * ratio)
		if path[step][2] != z {
			t.Fatalf("z after step %d is %08x; by hand %08x", step+1, math.Float32bits(path[step][2]), math.Float32bits(z))
		}
	}
}
