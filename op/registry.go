package op

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// All lists every op with its attributes at their zero values: one line per op.
var All = []Op{
	MatMul{}, MatMulJVP{}, MatMulTail{},
	Neg, Exp, Log, Sqrt, Tanh, SinPi, CosPi, Relu, Sigmoid{}, Rsqrt{}, Gelu{},
	Add, Sub, Mul, Div, Max, Min,
	Gt, Ge, Lt, Le, Eq, Same, Select{},
	Fill{}, Iota{}, Cast{}, IAdd{},
	Broadcast{}, Sum{}, Mean{}, AMax{}, ArgMax{}, OneHot{}, Pick{},
	Reshape{}, Transpose{}, Slice{}, Pad{}, Tail{}, Concat{}, Split{}, PutRow{},
	Gather{}, ScatterAdd{},
	Softmax{}, SoftmaxGrad{}, Xent{}, XentGrad{}, LayerNorm{}, LayerNormGrad{},
	Dual[MatMul]{}, DualMap[Unary]{Of: Tanh}, DualMap[Sigmoid]{}, DualMap[Gelu]{}, Dual[Softmax]{}, Dual[SoftmaxGrad]{}, Dual[XentGrad]{}, Dual[LayerNorm]{}, Dual[LayerNormGrad]{},
	TernaryMM{}, TernaryMMTail{},
	Uniform{}, Normal{}, Rademacher{}, RandInt{}, Ternary{}, Batch{},
}

// Named is the op of that name with zero attributes.
func Named(name string) (Op, error) {
	names := make([]string, len(All))
	for i, o := range All {
		if names[i] = o.Name(); names[i] == name {
			return o, nil
		}
	}
	sort.Strings(names)
	return nil, fmt.Errorf("no op is called %q; the ops are %s", name, strings.Join(names, ", "))
}

// attrs calls f for every attribute of o: its exported fields, those of an op in it among them, but for the row of a table of functions.
func attrs(v reflect.Value, f func(name string, field reflect.Value)) {
	for i := range v.NumField() {
		switch v.Field(i).Interface().(type) {
		case UnaryFunc, BinaryFunc, CompareFunc:
		case Op:
			attrs(v.Field(i), f)
		default:
			f(v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// Attrs lists the names and types of o's attributes.
func Attrs(o Op) (names []string) {
	attrs(reflect.ValueOf(o), func(name string, f reflect.Value) {
		names = append(names, name+" "+strings.TrimPrefix(f.Type().String(), "op."))
	})
	return names
}

// Describe writes an op with its attributes, such as matmul{TA:true TB:false}. Equal ops, and only they, have equal
// descriptions: programs are hashed by them.
func Describe(o Op) string {
	var b strings.Builder
	b.WriteString(o.Name())
	sep := "{"
	attrs(reflect.ValueOf(o), func(name string, f reflect.Value) {
		fmt.Fprintf(&b, "%s%s:%v", sep, name, f.Interface())
		sep = " "
	})
	if sep != "{" {
		b.WriteByte('}')
	}
	return b.String()
}

// WithAttr is o with the attribute called key (in any case) set from text: true, 3, 0.5, f32, or a list such as 2,3.
func WithAttr(o Op, key, text string) (Op, error) {
	v := reflect.New(reflect.TypeOf(o)).Elem()
	v.Set(reflect.ValueOf(o))
	has := "none"
	if names := Attrs(o); len(names) > 0 {
		has = strings.Join(names, ", ")
	}
	err := fmt.Errorf("%s has no attribute %q; it has %s", o.Name(), key, has)
	attrs(v, func(name string, f reflect.Value) {
		if !strings.EqualFold(name, key) {
			return
		}
		if err = setAttr(f, text); err != nil {
			err = fmt.Errorf("%s, attribute %s: %w", o.Name(), name, err)
		}
	})
	if err != nil {
		return nil, err
	}
	return v.Interface().(Op), nil
}

func setAttr(f reflect.Value, text string) error {
	switch f.Interface().(type) {
	case Ints:
		l, err := ParseInts(text)
		f.SetString(string(l))
		return err
	case DType:
		d, err := ParseDType(text)
		f.SetUint(uint64(d))
		return err
	case Bits:
		b, err := parseBits(text)
		f.SetUint(uint64(b))
		return err
	case Shape:
		l, err := ParseInts(text)
		if err != nil {
			return err
		}
		dims := l.Slice()
		if len(dims) > MaxRank {
			return fmt.Errorf("%q has %d axes; at most %d", text, len(dims), MaxRank)
		}
		for _, d := range dims {
			if d < 0 || d > 1<<31-1 {
				return fmt.Errorf("%q: sizes are 0 to 2^31-1", text)
			}
		}
		f.Set(reflect.ValueOf(S(dims...)))
		return nil
	}
	switch f.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is no bool (true or false)", text)
		}
		f.SetBool(b)
		return nil
	case reflect.Int8, reflect.Int32:
		bits := f.Type().Bits()
		i, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return fmt.Errorf("%q is no integer of %d bits (%d to %d)", text, bits, -1<<(bits-1), 1<<(bits-1)-1)
		}
		f.SetInt(i)
		return nil
	case reflect.Uint32:
		u, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no unsigned integer of 32 bits (0 to %d)", text, uint32(math.MaxUint32))
		}
		f.SetUint(u)
		return nil
	}
	return fmt.Errorf("cannot be set from text")
}

// parseBits reads a float32 as a decimal number, or its bits as 0x and up to eight hexadecimal digits.
func parseBits(text string) (Bits, error) {
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		if b, err := strconv.ParseUint(hex, 16, 32); err == nil {
			return Bits(b), nil
		}
	} else if x, err := strconv.ParseFloat(text, 32); err == nil {
		return B(float32(x)), nil
	}
	return 0, fmt.Errorf("%q is no float32 (a number such as 0.5, or its bits such as 0x3f000000)", text)
}
