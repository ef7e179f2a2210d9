package model

import "math"

// Init is how theta0 is drawn.
type Init string

// The initialisations and their sources. Of he, lecun and zeros every weight is normal with standard deviation sqrt(gain / fan-in), and
// biases are 0; a row of a table of tokens or positions is one input, so its fan-in is 1. A layer norm starts as one: gains 1, shifts 0.
const (
	He    Init = "he"    // gain 2: He et al. 2015, arXiv 1502.01852, equation 10
	LeCun Init = "lecun" // gain 1: LeCun et al. 1998, Efficient BackProp, section 4.6
	Zeros Init = "zeros" // gain 0

	// Torch is what PyTorch 2 does by itself: torch.nn.Linear draws weights and biases uniformly between -b and b, b = sqrt(1 / fan-in)
	// (Linear.reset_parameters), torch.nn.Embedding a table normal with standard deviation 1. Attention by Linear layers starts so, too:
	// the models of arXiv 2602.10496.
	Torch Init = "torch"
	// TorchEncoder is what PyTorch 2 does in torch.nn.TransformerEncoderLayer: as Torch, but torch.nn.MultiheadAttention draws the weights of
	// queries, keys and values, which it holds as one matrix of d inputs and 3 d outputs, by Glorot and Bengio 2010 (equation 16): b = sqrt(6 / (d +
	// 3 d)); and biases of attention are 0. Tables of positions are normal with standard deviation sqrt(1 / columns), as grok_sweep.py of
	// github.com/skydancerosel/grokking-integrability has them. (torch.nn.TransformerEncoder copies one layer, so that all start
	// alike; here each is drawn.)
	TorchEncoder Init = "torch-encoder"
)

// inits: one line per entry.
var inits = []struct {
	name  Init
	start func(p Param) Start
}{
	{He, byFanIn(2)},
	{LeCun, byFanIn(1)},
	{Zeros, byFanIn(0)},
	{Torch, torch},
	{TorchEncoder, torchEncoder},
}

// Draw is a distribution.
type Draw uint8

const (
	Fixed   Draw = iota // every element is Scale
	Normal              // of mean 0 and standard deviation Scale
	Uniform             // between -Scale and Scale
)

// Start is how the elements of a parameter are drawn, independently.
type Start struct {
	Draw  Draw
	Scale float32
}

// Inits lists the names of the initialisations.
func Inits() (names []string) {
	for _, i := range inits {
		names = append(names, string(i.name))
	}
	return names
}

// Start is how p starts; a constant of +0 where there is no such initialisation.
func (i Init) Start(p Param) Start {
	for _, e := range inits {
		if e.name == i {
			return e.start(p)
		}
	}
	return Start{}
}

// root is the square root of gain / fanIn, both steps rounded to float32.
func root(gain float32, fanIn int) float32 {
	// The float64 root of a float32, rounded to float32, is the correctly rounded root (Figueroa 1995).
	return float32(math.Sqrt(float64(gain / float32(fanIn))))
}

func byFanIn(gain float32) func(p Param) Start {
	return func(p Param) Start {
		switch p.Kind {
		case Gain:
			return Start{Fixed, 1}
		case Weight, Query, Tokens, Places:
			if gain > 0 {
				return Start{Normal, root(gain, p.FanIn)}
			}
		}
		return Start{}
	}
}

func torch(p Param) Start {
	switch p.Kind {
	case Gain:
		return Start{Fixed, 1}
	case Shift:
		return Start{}
	case Tokens, Places:
		return Start{Normal, 1}
	}
	return Start{Uniform, root(1, p.FanIn)}
}

func torchEncoder(p Param) Start {
	switch p.Kind {
	case Query:
		return Start{Uniform, root(1.5, p.FanIn)}
	case HeadBias:
		return Start{}
	case Places:
		return Start{Normal, root(1, p.Shape[1])}
	}
	return torch(p)
}
