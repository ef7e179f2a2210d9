package curvature

import (
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// coordinates are what a matrix is over: values that the parameters are made of, and how vectors of theirs lie in one vector.
type coordinates struct {
	parts    []op.Value                      // the parameters of model.Spec.Params, each flat
	wrt      []op.Value                      // what is differentiated with respect to
	apart    func(v op.Value) []op.Value     // f32[1, Size] -> a vector for each of wrt
	together func(parts []op.Value) op.Value // the inverse
}

// coordinates of the objective at theta f32[D].
func (o *Objective) coordinates(b *graph.Builder, theta op.Value) coordinates {
	switch {
	case o.Subspace != nil:
		return o.inSubspace(b, theta)
	case o.Block != nil:
		return o.inBlock(b, theta)
	}
	parts := o.Model.Split(b, theta)
	return flat(b, parts, parts)
}

// flat are whole parameters, one behind the other.
func flat(b *graph.Builder, parts, wrt []op.Value) coordinates {
	var sizes []int
	n := 0
	for _, p := range wrt {
		sizes = append(sizes, b.Type(p).Len())
		n += b.Type(p).Len()
	}
	return coordinates{parts, wrt,
		func(v op.Value) []op.Value {
			return b.Emit(op.Split{Sizes: op.List(sizes...)}, b.Do(op.Reshape{To: op.S(n)}, v))
		},
		func(parts []op.Value) op.Value { return b.Do(op.Reshape{To: op.S(1, n)}, b.Do(op.Concat{}, parts...)) },
	}
}

// inSubspace: theta + P z, at z = 0, where the chain rule is P^T M P for a linear map.
func (o *Objective) inSubspace(b *graph.Builder, theta op.Value) coordinates {
	s, D := o.Subspace, o.Model.D()
	z := b.Fill(0, 1, s.Dim)
	var basis, d op.Value
	if s.Map.Ragged() {
		basis = s.Map.Basis(b, b.Input(keyBasis, op.T(op.U32, op.Shared, 2)), D, s.Dim)
		d = b.FillU(uint32(s.Dim))
	}
	return coordinates{o.Model.Split(b, s.Map.Theta(b, theta, basis, z, d)), []op.Value{z},
		func(v op.Value) []op.Value { return []op.Value{v} },
		func(parts []op.Value) op.Value { return parts[0] },
	}
}

// inBlock: some parameters, or a part of one, such as the columns of a head.
func (o *Objective) inBlock(b *graph.Builder, theta op.Value) coordinates {
	parts, k := o.Model.Split(b, theta), o.Block
	var whole []op.Value
	for i, p := range o.Model.Params() {
		from, to := p.Offset, p.Offset+p.Len()
		// All of it, in one run or, of the only head, row by row.
		if k.Runs == 1 && k.Offset <= from && to <= k.Offset+k.Len || k.Offset == from && k.Size() == p.Len() {
			whole = append(whole, parts[i])
		}
		if k.Offset < from || k.Offset+(k.Runs-1)*k.Stride+k.Len > to || k.Size() == p.Len() {
			continue
		}
		// Runs of Len elements, each at the same place of a row.
		runs, row, at := k.Runs, k.Stride, k.Offset-from
		if runs == 1 {
			row = p.Len()
		}
		return coordinates{parts, parts[i : i+1],
			func(v op.Value) []op.Value {
				v = b.Do(op.Pad{Axis: 1, Before: int32(at), After: int32(row - at - k.Len)}, b.Do(op.Reshape{To: op.S(runs, k.Len)}, v))
				return []op.Value{b.Do(op.Reshape{To: op.S(p.Len())}, v)}
			},
			func(parts []op.Value) op.Value {
				m := b.Do(op.Reshape{To: op.S(runs, row)}, parts[0])
				m = b.Do(op.Slice{Axis: 1, Start: int32(at), Len: int32(k.Len)}, m)
				return b.Do(op.Reshape{To: op.S(1, k.Size())}, m)
			},
		}
	}
	return flat(b, parts, slices.Clip(whole))
}
