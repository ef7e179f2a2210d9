// Package model describes networks and their training rules, and traces them into programs.
//
// A Spec is what a card says of a network, checked: a list of layers on rows of data. Its parameters are flattened in layer order, each matrix W [in, out] row-major, then its bias.
package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"lockstep/internal/nearest"
)

// MaxSize is the largest axis of a tensor (op.Shape holds int32 sizes), and so the largest D of a model.
const MaxSize = math.MaxInt32

// Spec is a network: In columns of data, then the layers.
type Spec struct {
	In     int // columns of a row of data; 0 for data without inputs
	Layers []Layer
	Init   Init
}

// Layer is one layer. It is a comparable value; its fields are the keys of a card.
type Layer interface {
	// Type is the layer's name in cards.
	Type() string
	// Width is the number of output columns for in input columns.
	Width(in int) int
	// Params lists the layer's parameters for in input columns, with offsets from the layer's first.
	Params(in int) []Param
	// Fields are the layer's keys and values in cards, besides its type: whole numbers and booleans.
	Fields() map[string]any
	// check tells what is wrong with the layer behind in columns. It bounds every size by MaxSize.
	check(in int) error
}

// Param is one parameter tensor in the flat vector theta [D].
type Param struct {
	Name   string // "0.w": layer index, then the tensor
	Shape  []int  // row-major
	FanIn  int    // inputs that meet in one output; 0 for what starts at zero, such as biases
	Offset int    // of its first element in theta
}

// Len is the number of elements.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Linear is x W + b: W [in, Out], b [Out].
type Linear struct {
	Out  int  // output columns
	Bias bool // whether there is a b
}

func (Linear) Type() string       { return "linear" }
func (l Linear) Width(in int) int { return l.Out }

func (l Linear) Params(in int) []Param {
	p := []Param{{Name: "w", Shape: []int{in, l.Out}, FanIn: in}}
	if l.Bias {
		p = append(p, Param{Name: "b", Shape: []int{l.Out}, Offset: in * l.Out})
	}
	return p
}

func (l Linear) Fields() map[string]any { return map[string]any{"out": l.Out, "bias": l.Bias} }

func (l Linear) check(in int) error {
	switch {
	case l.Out < 1 || l.Out > MaxSize:
		return fmt.Errorf("out is %d; it must be 1 to %d", l.Out, MaxSize)
	case in < 1:
		return errors.New("it has no input columns: these data have no inputs; use a layer such as group-sum")
	}
	return nil
}

// Activation is an elementwise function, by its name in cards.
type Activation string

// The activations; their laws are ops of the same names.
const (
	ReLU    Activation = "relu"
	Tanh    Activation = "tanh"
	GELU    Activation = "gelu"
	Sigmoid Activation = "sigmoid"
)

// Activations lists the names of the activations.
func Activations() []string {
	return []string{string(ReLU), string(Tanh), string(GELU), string(Sigmoid)}
}

func (a Activation) Type() string         { return string(a) }
func (Activation) Width(in int) int       { return in }
func (Activation) Params(in int) []Param  { return nil }
func (Activation) Fields() map[string]any { return nil }
func (a Activation) check(in int) error {
	if names := Activations(); !slices.Contains(names, string(a)) {
		return nearest.Unknown("activation", string(a), names)
	}
	return nil
}

// GroupSum is the toy of Li et al. 2018 (arXiv 1804.08838, section 2): no inputs, parameters w [Groups, Size], output
// column i the sum of row i. With targets 1 to Groups and squared error its solutions form a flat of Groups * (Size - 1)
// dimensions, so that its intrinsic dimension is Groups exactly.
type GroupSum struct {
	Groups, Size int
}

func (GroupSum) Type() string       { return "group-sum" }
func (l GroupSum) Width(in int) int { return l.Groups }

func (l GroupSum) Params(in int) []Param {
	return []Param{{Name: "w", Shape: []int{l.Groups, l.Size}, FanIn: l.Size}}
}

func (l GroupSum) Fields() map[string]any { return map[string]any{"groups": l.Groups, "size": l.Size} }

func (l GroupSum) check(in int) error {
	switch {
	case l.Groups < 1 || l.Groups > MaxSize:
		return fmt.Errorf("groups is %d; it must be 1 to %d", l.Groups, MaxSize)
	case l.Size < 1 || l.Size > MaxSize:
		return fmt.Errorf("size is %d; it must be 1 to %d", l.Size, MaxSize)
	case in != 0:
		return fmt.Errorf("it takes no input, but gets %d columns; it stands first, on data without inputs such as toy", in)
	}
	return nil
}

// Init is how theta0 is drawn: every weight normal with standard deviation sqrt(gain / fan_in), biases 0.
type Init string

// The initialisations and their sources.
const (
	He    Init = "he"    // gain 2: He et al. 2015, arXiv 1502.01852, equation 10
	LeCun Init = "lecun" // gain 1: LeCun et al. 1998, Efficient BackProp, section 4.6
	Zeros Init = "zeros" // gain 0
)

// inits: one line per entry.
var inits = []struct {
	name Init
	gain float32
}{
	{He, 2},
	{LeCun, 1},
	{Zeros, 0},
}

// Inits lists the names of the initialisations.
func Inits() (names []string) {
	for _, i := range inits {
		names = append(names, string(i.name))
	}
	return names
}

// Std is the standard deviation of a parameter with the given fan-in: gain / fanIn, then its square root, each rounded
// to float32; +0 for a fan-in of 0.
func (i Init) Std(fanIn int) float32 {
	for _, e := range inits {
		if e.name == i && fanIn > 0 {
			// The float64 root of a float32, rounded to float32, is the correctly rounded root (Figueroa 1995).
			return float32(math.Sqrt(float64(e.gain / float32(fanIn))))
		}
	}
	return 0
}

// Check tells what is wrong with the model, as the model of data that want out output columns. A Spec that passes has
// 1 to MaxSize parameters, and its other methods are safe to call.
func (s Spec) Check(out int) error {
	if !slices.Contains(Inits(), string(s.Init)) {
		return nearest.Unknown("init", string(s.Init), Inits())
	}
	if len(s.Layers) == 0 {
		return errors.New("no layers")
	}
	width, total := s.In, int64(0)
	for i, l := range s.Layers {
		if err := l.check(width); err != nil {
			return fmt.Errorf("layer %d (%s): %w", i, l.Type(), err)
		}
		for _, p := range l.Params(width) {
			n := int64(1)
			for _, d := range p.Shape { // two sizes of at most 2^31 - 1: no overflow
				n *= int64(d)
			}
			if total += n; total > MaxSize {
				return fmt.Errorf("layer %d (%s): the model has more than %d parameters", i, l.Type(), MaxSize)
			}
		}
		width = l.Width(width)
	}
	switch {
	case total == 0:
		return errors.New("the model has no parameters; add a linear layer")
	case width != out:
		return fmt.Errorf("the last layer gives %d columns; the data want %d", width, out)
	}
	return nil
}

// Params lists the parameters in the order of theta [D].
func (s Spec) Params() []Param {
	var all []Param
	width, offset := s.In, 0
	for i, l := range s.Layers {
		next := offset
		for _, p := range l.Params(width) {
			p.Name = fmt.Sprintf("%d.%s", i, p.Name)
			p.Offset += offset
			next += p.Len()
			all = append(all, p)
		}
		width, offset = l.Width(width), next
	}
	return all
}

// D is the number of parameters.
func (s Spec) D() int {
	n := 0
	for _, p := range s.Params() {
		n += p.Len()
	}
	return n
}
