// Package model describes networks and their training rules, and traces them into programs.
//
// A Spec is what a card says of a network, checked: a list of layers on rows of data. Its parameters are flattened in layer order, each matrix W [in, out] row-major, then its bias.
//
// A row becomes a sequence behind an embedding: so many positions of so many columns. Examples and positions are flattened into the rows of
// one matrix, example by example, so that every layer's weights meet all of them in one product, whose gradient runs over both.
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
	Vocab  int // the columns are tokens, whole numbers below Vocab; 0: they are numbers
	Layers []Layer
	Init   Init
}

// Form is what an example is between two layers.
type Form struct {
	Positions int // rows of the example
	Columns   int // of each; 0 for data without inputs
	Vocab     int // the columns are tokens below Vocab; 0: they are numbers
}

// Layer is one layer. It is a comparable value; its fields are the keys of a card.
type Layer interface {
	// Type is the layer's name in cards.
	Type() string
	// Form is what the layer makes of an example of the form in.
	Form(in Form) Form
	// Params lists the layer's parameters for the form in, with offsets from the layer's first.
	Params(in Form) []Param
	// Fields are the layer's keys and values in cards, besides its type: whole numbers, booleans and names.
	Fields() map[string]any
	// check tells what is wrong with the layer behind the form in. It bounds every size by MaxSize.
	check(in Form) error
	tracer
}

// Param is one parameter tensor in the flat vector theta [D].
type Param struct {
	Name     string // "0.w": layer index, then the tensor
	Kind     Kind
	Shape    []int // row-major
	FanIn    int   // inputs that meet in one output of the product that it is part of
	Offset   int   // of its first element in theta
	Heads    int   // equal parts along HeadAxis, one for each head of attention; 0: it has none
	HeadAxis int
}

// Kind is what a parameter is to its layer: see Init.
type Kind uint8

const (
	Weight   Kind = iota // of a product
	Bias                 // added to a product
	Tokens               // a table with a row for each token
	Places               // a table with a row for each position
	Gain                 // of a layer norm
	Shift                // added by a layer norm
	Query                // a product to queries, keys or values
	HeadBias             // added to a product of attention
)

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

func (Linear) Type() string        { return "linear" }
func (l Linear) Form(in Form) Form { return Form{Positions: in.Positions, Columns: l.Out} }

func (l Linear) Params(in Form) []Param {
	p := []Param{{Name: "w", Shape: []int{in.Columns, l.Out}, FanIn: in.Columns}}
	if l.Bias {
		p = append(p, Param{Name: "b", Kind: Bias, Shape: []int{l.Out}, FanIn: in.Columns})
	}
	return placed(p)
}

// placed gives the parameters of a layer their offsets, one behind the other.
func placed(params []Param) []Param {
	for i := range params[1:] {
		params[i+1].Offset = params[i].Offset + params[i].Len()
	}
	return params
}

func (l Linear) Fields() map[string]any { return map[string]any{"out": l.Out, "bias": l.Bias} }

func (l Linear) check(in Form) error {
	switch {
	case l.Out < 1 || l.Out > MaxSize:
		return fmt.Errorf("out is %d; it must be 1 to %d", l.Out, MaxSize)
	case in.Columns < 1:
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
func (Activation) Form(in Form) Form      { return Form{Positions: in.Positions, Columns: in.Columns} }
func (Activation) Params(Form) []Param    { return nil }
func (Activation) Fields() map[string]any { return nil }
func (a Activation) check(in Form) error {
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

func (GroupSum) Type() string     { return "group-sum" }
func (l GroupSum) Form(Form) Form { return Form{Positions: 1, Columns: l.Groups} }

func (l GroupSum) Params(Form) []Param {
	return []Param{{Name: "w", Shape: []int{l.Groups, l.Size}, FanIn: l.Size}}
}

func (l GroupSum) Fields() map[string]any { return map[string]any{"groups": l.Groups, "size": l.Size} }

func (l GroupSum) check(in Form) error {
	switch {
	case l.Groups < 1 || l.Groups > MaxSize:
		return fmt.Errorf("groups is %d; it must be 1 to %d", l.Groups, MaxSize)
	case l.Size < 1 || l.Size > MaxSize:
		return fmt.Errorf("size is %d; it must be 1 to %d", l.Size, MaxSize)
	case in.Columns != 0:
		return fmt.Errorf("it takes no input, but gets %d columns; it stands first, on data without inputs such as toy", in.Columns)
	}
	return nil
}

// Check tells what is wrong with the model, as the model of data that want out output columns (0: however many it gives). A Spec that passes has
// 1 to MaxSize parameters, and its other methods are safe to call.
func (s Spec) Check(out int) error {
	if !slices.Contains(Inits(), string(s.Init)) {
		return nearest.Unknown("init", string(s.Init), Inits())
	}
	if len(s.Layers) == 0 {
		return errors.New("no layers")
	}
	form, total := s.form(), int64(0)
	for i, l := range s.Layers {
		if err := l.check(form); err != nil {
			return fmt.Errorf("layer %d (%s): %w", i, l.Type(), err)
		}
		for _, p := range l.Params(form) {
			n := int64(1)
			for _, d := range p.Shape { // two sizes of at most 2^31 - 1: no overflow
				n *= int64(d)
			}
			if total += n; total > MaxSize {
				return fmt.Errorf("layer %d (%s): the model has more than %d parameters", i, l.Type(), MaxSize)
			}
		}
		form = l.Form(form)
	}
	switch {
	case total == 0:
		return errors.New("the model has no parameters; add a linear layer")
	case form.Positions != 1:
		return fmt.Errorf("the last layer gives %d positions of an example; the data want one: add a layer such as last or mean-positions", form.Positions)
	case out > 0 && form.Columns != out:
		return fmt.Errorf("the last layer gives %d columns; the data want %d", form.Columns, out)
	}
	return nil
}

// form is that of a row of data.
func (s Spec) form() Form { return Form{1, s.In, s.Vocab} }

// Out is the number of output columns that the layers give. Who has not called Check must not call it with layers from outside.
func (s Spec) Out() int {
	form := s.form()
	for _, l := range s.Layers {
		form = l.Form(form)
	}
	return form.Columns
}

// Params lists the parameters in the order of theta [D].
func (s Spec) Params() []Param {
	var all []Param
	form, offset := s.form(), 0
	for i, l := range s.Layers {
		next := offset
		for _, p := range l.Params(form) {
			p.Name = fmt.Sprintf("%d.%s", i, p.Name)
			p.Offset += offset
			next += p.Len()
			all = append(all, p)
		}
		form, offset = l.Form(form), next
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
