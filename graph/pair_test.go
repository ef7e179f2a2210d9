package graph_test

import (
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// twofold traces a small network's Hessian-vector product and lowers it for an engine that has every twin.
func twofold(t *testing.T, dom op.Domain, state bool, loss2 bool) *graph.Tape {
	t.Helper()
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.Input("x", op.T(op.F32, op.Shared, 4, 3))
		w := b.Input("w", op.T(op.F32, dom, 3, 3))
		u := b.Input("u", op.T(op.F32, dom, 3, 3))
		loss := func(x op.Value) op.Value {
			h := b.Do(op.Softmax{}, b.Do(op.MatMul{}, b.Do(op.Softmax{}, b.Do(op.MatMul{}, x, w)), u))
			return b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: "0,1"}, b.Do(op.Mul, h, x)))
		}
		wrt := []op.Value{w, u}
		v := []op.Value{b.Input("v", op.T(op.F32, op.Cell, 3, 3)), b.Input("vu", op.T(op.F32, op.Cell, 3, 3))}
		if state {
			s := b.State("s", v[0], op.Cell)
			b.Next(s, b.Do(op.Neg, s))
			v[0] = s
		}
		a := loss(x)
		if loss2 { // the commutator of two losses: the Hessian of each along the gradient of the other
			c := loss(b.Do(op.Neg, x))
			ga, gc := b.Gradient(a, wrt...), b.Gradient(c, wrt...)
			for i, h := range b.JVP(ga, wrt, gc) {
				b.Output([]string{"ha", "hau"}[i], h)
			}
			for i, h := range b.JVP(gc, wrt, ga) {
				b.Output([]string{"hc", "hcu"}[i], h)
			}
			return
		}
		for i, h := range b.HVP(a, wrt, v) {
			b.Output([]string{"h", "hu"}[i], h)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return graph.Lower(p, func(op.Op, []op.Type) bool { return true })
}

// count is how many nodes there are of each name, all nodes in an order in which they can run.
func count(t *testing.T, tape *graph.Tape) map[string]int {
	t.Helper()
	made, n := map[op.Value]bool{}, map[string]int{}
	for _, in := range tape.P.In {
		made[in.V] = true
	}
	for _, s := range tape.P.State {
		made[s.In] = true
	}
	for _, node := range tape.P.Nodes {
		if i := slices.IndexFunc(node.In, func(v op.Value) bool { return !made[v] }); i >= 0 {
			t.Fatalf("%s reads %%%d before it is made:\n%s", op.Describe(node.Op), node.In[i], tape.P)
		}
		for _, v := range node.Out {
			made[v] = true
		}
		n[node.Op.Name()]++
	}
	return n
}

// TestDualsReplacePrimals: of one vector for each model every product is made once, with its tangent or alone.
func TestDualsReplacePrimals(t *testing.T) {
	n := count(t, twofold(t, op.Cell, false, false))
	// Forward two products, with tangents; backward one to the hidden layer, with its tangent; and the tangents of the two gradients of weights,
	// whose primals nobody asks for.
	if n["dualmatmul"] != 3 || n["matmul"]+n["matmuljvp"] != 2 || n["dualsoftmax"] != 2 || n["softmax"] != 0 || n["dualsoftmaxgrad"] != 2 || n["softmaxgrad"] != 0 {
		t.Errorf("nodes %v; want duals for all that has a primal, and only them", n)
	}
}

// TestDualsStayApart: vectors that share a model share what belongs to it, and a step does not compute again what is computed once.
func TestDualsStayApart(t *testing.T) {
	for name, tape := range map[string]*graph.Tape{"K vectors": twofold(t, op.Model, false, false), "a vector that moves": twofold(t, op.Cell, true, false)} {
		n := count(t, tape)
		for _, dual := range []string{"dualmatmul", "dualsoftmax", "dualsoftmaxgrad"} {
			if of := dual[len("dual"):]; n[of] == 0 || name == "K vectors" && n[dual] != 0 {
				t.Errorf("%s: nodes %v; want %s by itself", name, n, of)
			}
		}
	}
}

// TestDualsOfACommutator: a Hessian along another's gradient waits for that gradient; not all primals may wait for their tangents.
func TestDualsOfACommutator(t *testing.T) {
	n := count(t, twofold(t, op.Cell, false, true))
	if n["dualmatmul"] == 0 || n["matmul"] == 0 {
		t.Errorf("nodes %v; want some products with their tangents, and some alone", n)
	}
}
