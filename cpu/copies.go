package cpu

import (
	"lockstep/graph"
	"lockstep/op"
)

// mostCopied is the words up to which copies of matrices are worth their memory: as many as stay in a cache together with the matrices.
// What does not would be fetched from memory a second time whenever a thread comes back to a cell.
const mostCopied = 2 << 20

// copyTransposed lets a row that is multiplied by the transpose of a matrix, as a gradient is by a dense basis, read a copy of it that
// is transposed once: the words that a vector of chains needs are then neighbours, and need not be brought together in each step. The
// chains are the same, and so are their bits. There is no copy of a matrix that is a cell's own, or that steps change; nor of one that some
// cells share: their rows together are worth the words' being brought together.
func (l *layout) copyTransposed(e *Engine, slots *graph.Slots) {
	t := l.t
	passing := map[op.Value]bool{}
	for _, s := range t.P.State {
		passing[s.In] = true
	}
	for _, n := range t.Step {
		for _, v := range n.Out {
			passing[v] = true
		}
	}
	copies := map[op.Value]op.Value{}
	for i, n := range t.Step {
		plain := untransposed(n.Op)
		if plain == nil {
			continue
		}
		x, matrix := t.P.Types[n.In[0]], t.P.Types[n.In[1]]
		root, _ := t.Root(n.In[1])
		if x.Rank != 2 || x.At(0) != 1 || matrix.Rank != 2 || matrix.Domain == op.Cell || passing[root] {
			continue
		}
		of, made := copies[n.In[1]]
		if !made {
			count, err := slots.Count(matrix.Domain)
			its := count * matrix.Words()
			transposed := op.T(op.F32, matrix.Domain, matrix.At(1), matrix.At(0))
			if err != nil || len(slots.Of(op.Cell)) > count || l.copied+its > mostCopied || !e.has(plain, []op.Type{x, transposed}) {
				continue
			}
			l.copied += its
			of = op.Value(len(t.P.Types))
			copies[n.In[1]] = of
			t.P.Types = append(t.P.Types, transposed)
			t.View = append(t.View, graph.View{})
			t.Once = append(t.Once, op.Node{Op: op.Transpose{Perm: "1,0"}, In: []op.Value{n.In[1]}, Out: []op.Value{of}})
		}
		t.Step[i] = op.Node{Op: plain, In: append([]op.Value{n.In[0], of}, n.In[2:]...), Out: n.Out}
	}
}

// untransposed is the product by B of one by the transpose of B; nil of any other op.
func untransposed(o op.Op) op.Op {
	switch o {
	case op.MatMul{TB: true}:
		return op.MatMul{}
	case op.MatMulTail{TB: true}:
		return op.MatMulTail{}
	}
	return nil
}
