package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/op"
)

// standIn is set in the environment of this test binary where it stands in for a peer: how it behaves.
const standIn = "LOCKSTEP_PEER_STAND_IN"

func TestMain(m *testing.M) {
	if how := os.Getenv(standIn); how != "" {
		serve(how)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve answers as a peer's script does: it trains by lockstep's Gaussian map, so it agrees. how: well; wrong (it trains something else),
// pack (a bit of z hangs on the pack), gone (it ends when it is to train), error (it cannot).
func serve(how string) {
	engine, err := newEngine(1)
	if err != nil {
		panic(err)
	}
	o := &ours{engine: engine, mapType: "gaussian", data: &inputs{}}
	curves := curvedStandIn{o: o, how: how, ready: map[string]derived{}}
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r struct {
			Do, Folder string
			Space      space
			LR         []float64
			Steps      int
			Batch      int
			Seconds    float64

			ID, Model, What, Way string
			Models, Vectors      int
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		words := func(b []byte, err error) any {
			if err != nil {
				panic(err)
			}
			return map[string]string{"words": base64.StdEncoding.EncodeToString(b)}
		}
		var answer any
		switch r.Do {
		case "hello":
			for name, to := range map[string]*op.Tensor{"theta0": &o.data.theta0, "test_x": &o.data.testX} {
				curves.folder = r.Folder
				if *to, err = data.ReadNPY(filepath.Join(r.Folder, name+".npy")); err != nil {
					panic(err)
				}
			}
			answer = map[string]any{"versions": map[string]string{"stand-in": "1"}}
		case "after":
			w := workload{r.Space, len(r.LR)}
			z, err := o.after(context.Background(), w, r.Steps)
			for i := range len(z) / 4 {
				if r.Space == full { // a peer's z is theta
					op.PutBytes(z[4*i:], op.Float32s(op.S(1), o.data.theta0.F()[i]+float32Of(z[4*i:])).W)
				}
			}
			switch {
			case how == "wrong":
				clear(z)
			case how == "pack" && len(r.LR) > 1:
				z[4] ^= 1
			}
			answer = words(z, err)
		case "logits":
			answer = words(o.logits(context.Background(), r.Batch))
		case "train":
			switch how {
			case "gone":
				return
			case "error":
				answer = map[string]string{"error": "MemoryError: too large"}
			default:
				answer = prepared{Way: "stand-in", Seconds: 0.5}
			}
		case "matmul":
			answer = prepared{}
		case "burst":
			time.Sleep(time.Duration(r.Seconds * 1e9))
			answer = map[string]float64{"done": 100 * r.Seconds, "seconds": r.Seconds}
		case "derive", "products", "truth":
			answer = curves.answer(r.Do, r.ID, r.Model, r.What, r.Way, r.Models, r.Vectors)
		case "job":
			answer = map[string]any{"seconds": 2, "accuracy": [2]float64{0.9, 0.5}}
		}
		if err := answers.Encode(answer); err != nil {
			return
		}
	}
}

func float32Of(b []byte) float32 {
	t := op.New(op.T(op.F32, op.Shared, 1))
	op.PutWords(t.W, b)
	return t.F()[0]
}

// drive runs everything in small with stand-ins of all peers, and returns what it emitted by case and side.
func drive(t *testing.T, how, only string) (lines map[string]map[string]any, err error) {
	t.Helper()
	t.Setenv(standIn, how)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := []string{self}
	o := options{
		threads: 1, rounds: 2, burst: 20 * time.Millisecond, packs: []int{1, 2}, products: []product{{2, 8}}, job: job{3, []int{2, 5}},
		peers: map[string][]string{"jax": command, "torch_cpu": command, "numpy": command},
	}
	if strings.HasPrefix(only, "curvature") { // which takes a while
		o.curvature = curvedCases([]int{1, 2}, []int{1, 2})
	}
	o.rows = standInRows
	if err := o.choose(only); err != nil {
		t.Fatal(err)
	}
	lines = map[string]map[string]any{}
	err = run(t.Context(), o, func(v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		x := map[string]any{}
		if err := json.Unmarshal(b, &x); err != nil {
			return err
		}
		lines[fmt.Sprintf("%v %v", x["case"], x["side"])] = x
		if m, ok := x["machine"].(map[string]any); ok {
			lines["machine"] = m
		}
		if x["quiet"] != nil {
			lines["quiet"] = x
		}
		return nil
	}, func(string) {})
	return lines, err
}

// A run measures every side on every case, and finds the bits that a peer changes and lockstep does not.
func TestRun(t *testing.T) {
	lines, err := drive(t, "pack", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]map[string]any{
		"train/each/cells=2 jax":              {"unit": "cell-steps/s", "median": 100.0, "way": "stand-in", "compile": 0.5},
		"train/full/cells=1 torch":            {"way": "stand-in"},
		"train/full/cells=2 lockstep":         {"way": "identity map"},
		"train/one/cells=2 lockstep":          {"way": "ternary map"},
		"train/one/cells=1 lockstep gaussian": {"way": "gaussian map"},
		"matmul/8x8x8/cells=2 lockstep":       {"unit": "GMAC/s"},
		"matmul/8x8x8/cells=2 gonum":          {"unit": "GMAC/s"},
		"matmul/8x8x8/cells=2 openblas":       {"unit": "GMAC/s"},
		"peak lockstep":                       {"unit": "GMAC/s"},
		"job/3 lockstep":                      {"unit": "s"},
		"job/3 jax":                           {"median": 2.0, "accuracy": []any{0.9, 0.5}},
		"bits/pack/each/cells=2 jax":          {"of": 100.0, "words": 1.0, "bits": 1.0},
		"bits/pack/each/cells=2 lockstep":     {"of": 100.0, "words": 0.0, "bits": 0.0},
		"bits/threads/full/cells=2 torch":     {"of": 8970.0, "words": 0.0},
		"bits/batch/rows=128 lockstep":        {"of": 3590.0, "words": 0.0},
		"bits/batch/rows=7 gonum":             {"of": 3590.0},
		"bits/threads/rows=359 openblas":      {"words": 0.0},
		"agree/one torch":                     {},
		"<nil> jax":                           {"versions": map[string]any{"stand-in": "1"}},
		"quiet":                               {},
		"machine":                             {"threads": 1.0, "device": "cpu, kernels " + strings.Join(cpu.Defaults(), ", ")},
	} {
		got := lines[name]
		if got == nil {
			t.Errorf("no line %s", name)
		}
		for key, v := range want {
			if f, ok := v.(float64); fmt.Sprint(got[key]) != fmt.Sprint(v) && !(ok && key == "median" && got[key].(float64) > 0.99*f && got[key].(float64) < 1.01*f) {
				t.Errorf("%s: %s is %v; want %v", name, key, got[key], v)
			}
		}
		if v, ok := got["values"].([]any); got["unit"] != nil && (!ok || len(v) != 2 && got["unit"] != "s" || v[0].(float64) <= 0) {
			t.Errorf("%s: values %v; want two, or one of a job, above 0", name, got["values"])
		}
	}
}

// A pattern chooses cases.
func TestOnly(t *testing.T) {
	lines, err := drive(t, "well", "train/full/cells=2")
	if err != nil {
		t.Fatal(err)
	}
	for name := range lines {
		if _, ok := lines[name]["case"]; ok && !strings.HasPrefix(name, "train/full/cells=2 ") && !strings.HasPrefix(name, "agree/") {
			t.Errorf("%s was not asked for", name)
		}
	}
	if lines["train/full/cells=2 jax"] == nil {
		t.Error("train/full/cells=2 was not measured")
	}
}

// A pattern that chooses nothing is refused before anything is started, with the nearest name.
func TestOnlyRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"nosuchcase": `no case matches "nosuchcase" (one of bits`, "train/ful/cells=1": `nearest is "train/full/cells=1"`, "job/3000": `nearest is "job/300"`,
		"(": "no regular expression", "bit$": `nearest is "bits" (one of bits, train/full/cells=1, train/full/cells=2, train/each/cells=1`,
	} {
		o := options{packs: []int{1, 2}, products: []product{{2, 8}}, job: job{steps: 300}}
		if err := o.choose(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-only %s: %v; want %s", pattern, err, want)
		}
	}
	for _, pattern := range []string{"", "bits", "train", "matmul/8x8x8", "job"} {
		o := options{packs: []int{1, 2}, products: []product{{2, 8}}, job: job{steps: 300}}
		if err := o.choose(pattern); err != nil || o.only == nil {
			t.Errorf("-only %q: %v", pattern, err)
		}
	}
}

// Every side's packs are given back.
func TestSidesClose(t *testing.T) {
	closed := 0
	one := func() *ours { return &ours{close: []func() error{func() error { closed++; return nil }}} }
	if err := (&sides{ternary: one(), gaussian: one(), single: one(), gaussianSingle: one()}).Close(); err != nil || closed != 4 {
		t.Errorf("%d of 4 sides are closed, %v", closed, err)
	}
}

// What was measured before a run ends early has been emitted, of every side of a case as many rounds.
func TestRoundsAreEmittedAsTheyCome(t *testing.T) {
	var cases [][]*entry
	for _, name := range []string{"a", "b"} {
		var sides []*entry
		for _, side := range []string{"x", "y"} {
			e := &entry{result: result{Case: name, Side: side}, pid: os.Getpid()}
			e.measure = func(context.Context) (float64, error) {
				if len(e.Values) == 2 && name == "b" {
					return 0, context.Canceled
				}
				return float64(len(e.Values) + 1), nil
			}
			sides = append(sides, e)
		}
		cases = append(cases, sides)
	}
	got := map[string]string{}
	err := rounds(t.Context(), 4, cases, newWatch(), func(string) {}, func(v any) error {
		r := v.(result)
		got[r.Case+r.Side] = fmt.Sprint(r.Values, r.Median)
		return nil
	})
	if want := "map[ax:[1 2 3] 2 ay:[1 2 3] 2 bx:[1 2] 1.5 by:[1 2] 1.5]"; !errors.Is(err, context.Canceled) || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}

// scaled is a peer whose way from theta0 is lockstep's, made longer; and of more steps.
type scaled struct {
	*ours
	by   float64
	more int
}

func (s scaled) after(ctx context.Context, w workload, steps int) ([]byte, error) {
	z, err := s.ours.after(ctx, w, steps+s.more)
	for i := range len(z) / 4 {
		x := float32(float64(float32Of(z[4*i:])) * s.by)
		if w.Space == full {
			x += s.data.theta0.F()[i]
		}
		op.PutBytes(z[4*i:], op.Float32s(op.S(1), x).W)
	}
	return z, err
}

// What rounding explains agrees; what is trained a little otherwise does not.
func TestCheckAgreement(t *testing.T) {
	engine, err := newEngine(1)
	if err != nil {
		t.Fatal(err)
	}
	in, err := makeInputs(t.Context(), engine, 1, job{2, []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	o := &ours{engine: engine, mapType: "gaussian", data: in}
	for _, c := range []struct {
		by     float64
		more   int
		agrees bool
	}{{1, 0, true}, {1.015, 0, true}, {1.025, 0, false}, {0.975, 0, false}, {1, 1, false}} {
		lines := 0
		err := checkAgreement(t.Context(), "x", scaled{o, c.by, c.more}, o, func(v any) error {
			lines++
			if a := v.(agreement); math.Abs(a.Relative-(c.by-1)) > 1e-4 {
				t.Errorf("%s: %v of the way; want %v", a.Case, a.Relative, c.by-1)
			}
			return nil
		})
		if c.agrees && (err != nil || lines != 3) || !c.agrees && (err == nil || !strings.Contains(err.Error(), "it trains something else") || lines > 0) {
			t.Errorf("z times %v, %d more steps: %v, %d lines; want agreement: %v", c.by, c.more, err, lines, c.agrees)
		}
	}
	other := &ours{engine: engine, mapType: "ternary", data: in} // the peers' problem is the Gaussian map's
	if err := checkAgreement(t.Context(), "x", scaled{other, 1, 0}, o, func(any) error { return nil }); err == nil || !strings.Contains(err.Error(), "each: after") {
		t.Errorf("another basis: %v", err)
	}
}

// A peer that trains something else is not timed.
func TestRunRefuses(t *testing.T) {
	if _, err := drive(t, "wrong", ""); err == nil || !strings.Contains(err.Error(), "it trains something else") {
		t.Errorf("%v; want that it trains something else", err)
	}
}

// A peer's own error, and its end, are told with its name and what it was asked.
func TestProcessErrors(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := newEngine(1)
	if err != nil {
		t.Fatal(err)
	}
	in, err := makeInputs(t.Context(), engine, 1, job{2, []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := in.write(folder); err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{"gone": "peer x, train: it has gone", "error": "peer x, train: MemoryError: too large"} {
		t.Setenv(standIn, how)
		p, _, err := start(t.Context(), "x", 1, folder, self)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.train(t.Context(), workload{full, 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := start(t.Context(), "x", 1, folder, filepath.Join(folder, "none")); err == nil {
		t.Error("a command that does not exist was started")
	}
}

// A side that takes a processor while it waits ends the run, too.
func TestWatch(t *testing.T) {
	w := newWatch()
	self := w.idle[os.Getpid()]
	self.wall = 10 * time.Second
	for taken, fails := range map[time.Duration]bool{590 * time.Millisecond: false, 610 * time.Millisecond: true} {
		self.taken = taken
		if q, err := w.report(); (err != nil) != fails || q.Idle["lockstep"] != taken.Seconds()/10 {
			t.Errorf("%v of ten seconds: %v, %v; want an error: %v", taken, q, err, fails)
		}
	}
}

// The gonum side classifies as lockstep does, but for rounding: else its bits say nothing.
func TestGonumLogits(t *testing.T) {
	engine, err := newEngine(1)
	if err != nil {
		t.Fatal(err)
	}
	in, err := makeInputs(t.Context(), engine, 1, job{2, []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := (&ours{engine: engine, mapType: "ternary", data: in}).logits(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gonum{1, in}.logits(t.Context(), 7)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	for i := 0; i < len(want); i += 4 {
		if x, y := float32Of(got[i:]), float32Of(want[i:]); x-y > 1e-4 || y-x > 1e-4 {
			t.Fatalf("logit %d is %v by gonum and %v by lockstep", i/4, x, y)
		}
	}
}

func TestDiffer(t *testing.T) {
	words, bits, err := differ([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9}, []byte{1, 2, 3, 4, 4, 6, 7, 0, 9, 9, 9, 9})
	if words != 1 || bits != 2 || err != nil {
		t.Errorf("%d words, %d bits, %v; want 1 word, 2 bits", words, bits, err)
	}
	if _, _, err := differ(make([]byte, 4), make([]byte, 8)); err == nil {
		t.Error("results of different sizes are compared")
	}
}

func TestQuantile(t *testing.T) {
	r := result{Values: []float64{4, 1, 3, 2}}
	if r.summarise(); r.Q1 != 1.75 || r.Median != 2.5 || r.Q3 != 3.25 {
		t.Errorf("quartiles %v, %v, %v; want 1.75, 2.5, 3.25", r.Q1, r.Median, r.Q3)
	}
}
