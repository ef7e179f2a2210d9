package model

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mlp(width int) Spec {
	return Spec{64, 0, []Layer{Linear{width, true}, ReLU, Linear{width, true}, ReLU, Linear{10, true}}, He}
}

func TestParams(t *testing.T) {
	s := mlp(32)
	want := []string{
		"0.w [64 32] fan-in 64 at 0", "0.b [32] fan-in 64 at 2048", "2.w [32 32] fan-in 32 at 2080",
		"2.b [32] fan-in 32 at 3104", "4.w [32 10] fan-in 32 at 3136", "4.b [10] fan-in 32 at 3456",
	}
	for i, p := range s.Params() {
		if got := fmt.Sprintf("%s %v fan-in %d at %d", p.Name, p.Shape, p.FanIn, p.Offset); got != want[i] {
			t.Errorf("parameter %d is %s; want %s", i, got, want[i])
		}
	}
	for _, c := range []struct {
		spec Spec
		d    int
	}{
		{mlp(32), 3466}, {mlp(64), 8970}, {mlp(128), 26122},
		{Spec{5, 0, []Layer{Linear{3, false}, Tanh, Linear{2, true}}, LeCun}, 15 + 8},
		{Spec{0, 0, []Layer{GroupSum{10, 100}}, Zeros}, 1000},
	} {
		if got := c.spec.D(); got != c.d {
			t.Errorf("D of %v is %d; want %d", c.spec, got, c.d)
		}
	}
}

func TestCheck(t *testing.T) {
	layers := func(in int, l ...Layer) Spec { return Spec{in, 0, l, He} }
	for _, c := range []struct {
		spec Spec
		want string // what the error must say; "" for none
	}{
		{mlp(32), ""},
		{layers(0, GroupSum{10, 100}), ""},
		{layers(64), "no layers"},
		{layers(64, ReLU, Linear{9, true}), "gives 9 columns; the data want 10"},
		{layers(64, Linear{0, true}), "layer 0 (linear): out is 0"},
		{layers(64, ReLU, Linear{-1, true}), "layer 1 (linear): out is -1"},
		{layers(64, Linear{math.MaxInt, true}), "must be 1 to 2147483647"},
		{layers(64, Linear{MaxSize, true}), "more than 2147483647 parameters"},
		{layers(64, Linear{1 << 25, false}, Linear{10, false}), "layer 0 (linear): the model has more than"}, // 64 * 2^25 = 2^31
		{layers(64, Linear{29020049, false}, Linear{10, false}), ""},                                         // 74 * 29020049 = 2^31 - 22
		{layers(64, Linear{29020050, false}, Linear{10, false}), "layer 1 (linear): the model has more than"},
		{layers(0, Linear{10, true}), "no input columns"},
		{layers(64, GroupSum{10, 100}), "takes no input, but gets 64 columns"},
		{layers(0, GroupSum{0, 100}), "groups is 0"},
		{layers(0, GroupSum{10, 0}), "size is 0"},
		{layers(10, ReLU), "no parameters"},
		{layers(64, Activation("rleu"), Linear{10, true}), `unknown activation "rleu"; nearest is "relu"`},
		{Spec{64, 0, []Layer{Linear{10, true}}, "hee"}, `unknown init "hee"; nearest is "he"`},
	} {
		err := c.spec.Check(10)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.spec, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: got %v; want an error with %q", c.spec, err, c.want)
		}
	}
}

// TestStd does the two roundings of the definition in exact and in 200-bit arithmetic.
func TestStd(t *testing.T) {
	for _, init := range []struct {
		name Init
		gain int64
	}{{He, 2}, {LeCun, 1}} {
		for fan := int64(1); fan < 5000; fan++ {
			quotient, _ := big.NewRat(init.gain, fan).Float32()
			root := new(big.Float).SetPrec(200).SetFloat64(float64(quotient))
			want, _ := root.Sqrt(root).Float32()
			if got := init.name.Start(Param{FanIn: int(fan)}); got != (Start{Normal, want}) {
				t.Fatalf("%s of a fan-in of %d is %v; want a standard deviation of %x", init.name, fan, got, want)
			}
		}
	}
	for _, p := range []Param{{Kind: Bias, FanIn: 64}, {Kind: HeadBias, FanIn: 64}, {Kind: Shift, FanIn: 1}} {
		if he, zeros := He.Start(p), Zeros.Start(Param{FanIn: 64}); he != (Start{}) || zeros != (Start{}) {
			t.Errorf("kind %d of he is %v, a weight of zeros %v; want +0", p.Kind, he, zeros)
		}
	}
}

// TestDecimal: one rounding. The exact value of 1 + 2^-24 + a little is above the middle of two float32 numbers; through
// float64 it falls on the middle and then to the even one below.
func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text     string
		f32, one uint32
	}{
		{"0", 0, 0x3f800000},
		{"0.9", 0x3f666666, 0x3dcccccd}, // 1 - f32(0.9) would be 3dccccd0
		{"0.999", 0x3f7fbe77, 0x3a83126f},
		{"1e-8", 0x322bcc77, 0x3f800000},
		{"1.00000005960464477539072", 0x3f800001, 0xb3800000},
		{"-2.5", 0xc0200000, 0x40600000},
		{"1e39", 0x7f800000, 0xff800000},
	} {
		d := Dec(c.text)
		if got := math.Float32bits(d.F32()); got != c.f32 {
			t.Errorf("%s rounds to %08x; want %08x", c.text, got, c.f32)
		}
		if got := math.Float32bits(d.OneMinus()); got != c.one {
			t.Errorf("1 - %s rounds to %08x; want %08x", c.text, got, c.one)
		}
	}
	for _, bad := range []string{"", "-", ".", "1.2.3", "0x10", "1_000", "nan", "inf", "-Inf", "1e", "1e2.5", "1e401", "1e-401",
		"1e999999999999", "1 ", "12a", "--1", "1-2", strings.Repeat("1", 401)} {
		if d, err := ParseDecimal(bad); err == nil {
			t.Errorf("ParseDecimal(%.20q) = %s; want an error", bad, d)
		}
	}
}

func TestDecimalInt(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int64
		ok   bool
	}{{"12", 12, true}, {"12.0", 12, true}, {"1.2e1", 12, true}, {"12.5", 0, false}, {"0", 0, false}, {"101", 0, false}, {"1e300", 0, false}} {
		if n, ok := Dec(c.text).Int(1, 100); ok != c.ok || ok && n != c.n {
			t.Errorf("Int(%s) = %d, %v; want %d, %v", c.text, n, ok, c.n, c.ok)
		}
	}
}

// TestDecimalRandom: math/big's exact rounding is the independent truth.
func TestDecimalRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,4}\.[0-9]{0,30}(e-?[0-9]{1,2})?`).Draw(t, "text")
		d, err := ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		exact, _ := new(big.Rat).SetString(text)
		if want, _ := exact.Float32(); d.F32() != want {
			t.Fatalf("%s rounds to %x; want %x", text, d.F32(), want)
		}
	})
}

func rule(typ string) Rule {
	return Rule{Type: typ, LR: Dec("0.1"), Mu: Dec("0.9"), B1: Dec("0.9"), B2: Dec("0.999"), Eps: Dec("1e-8"), WD: Dec("0.01"), Schedule: Schedule{Type: "constant"}}
}

func TestConstants(t *testing.T) {
	for typ, want := range map[string]string{
		"sgd":      "lr=3dcccccd ",
		"momentum": "lr=3dcccccd mu=3f666666 ",
		"adam":     "lr=3dcccccd b1=3f666666 c1=3dcccccd b2=3f7fbe77 c2=3a83126f eps=322bcc77 ",
		"sgd clip": "lr=3dcccccd clip=3f000000 ",
		"adamw":    "lr=3dcccccd b1=3f666666 c1=3dcccccd b2=3f7fbe77 c2=3a83126f eps=322bcc77 wd=3c23d70a gamma=3f000000 ",
	} {
		name, clip, _ := strings.Cut(typ, " ")
		r := rule(name)
		if clip != "" {
			r.Clip = Dec("0.5")
		}
		if typ == "adamw" {
			r.Schedule = Schedule{"step", 100, Dec("0.5")}
		}
		got := ""
		for _, c := range r.Constants() {
			got += fmt.Sprintf("%s=%08x ", c.Name, math.Float32bits(c.Value))
		}
		if got != want {
			t.Errorf("%s: constants %s; want %s", typ, got, want)
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestRuleCheck(t *testing.T) {
	for _, c := range []struct {
		spoil func(r *Rule)
		want  string
	}{
		{func(r *Rule) { r.Type = "admw" }, `unknown rule type "admw"; nearest is "adamw"`},
		{func(r *Rule) { r.LR = Dec("0") }, "lr is 0, in float32 0; it must be above 0"},
		{func(r *Rule) { r.LR = Dec("-0.1") }, "lr is -0.1"},
		{func(r *Rule) { r.LR = Dec("1e-60") }, "lr is 1e-60, in float32 0"},
		{func(r *Rule) { r.LR = Dec("1e39") }, "lr is 1e39, in float32 +Inf"},
		{func(r *Rule) { r.B1 = Dec("0.99999999999") }, "b1 is 0.99999999999, in float32 1; it must be in [0, 1)"},
		{func(r *Rule) { r.B2 = Dec("-1e-60") }, "b2 is -1e-60"},
		{func(r *Rule) { r.Eps = Dec("-1e-8") }, "eps is -1e-8"},
		{func(r *Rule) { r.WD = Dec("-1") }, "wd is -1"},
		{func(r *Rule) { r.Clip = Dec("-1") }, "clip is -1, in float32 -1; it must be above 0"},
		{func(r *Rule) { r.Clip = Dec("1e-60") }, "clip is 1e-60, in float32 0; it must be above 0"},
		{func(r *Rule) { r.Schedule.Type = "cosin" }, `unknown schedule type "cosin"; nearest is "cosine"`},
		{func(r *Rule) { r.Schedule = Schedule{"step", 0, Dec("0.5")} }, "schedule.every is 0"},
		{func(r *Rule) { r.Schedule = Schedule{"step", 10, Decimal{}} }, "gamma is 0"},
	} {
		r := rule("adamw")
		c.spoil(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v; want an error with %q", err, c.want)
		}
	}
}
