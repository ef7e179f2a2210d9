package curvature_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/model"
)

// stopping is a Keeper that ends a context when it was asked so many times, less one for the first step, whether a checkpoint is due.
type stopping struct {
	*curvature.File
	left int
	stop func()
}

func (k *stopping) Due() bool {
	if k.left--; k.left == 0 {
		k.stop()
	}
	return false
}

// TestEigenpairsAreStopped: the processes that eigenvectors are of are kept when these are stopped, and are not run again.
func TestEigenpairsAreStopped(t *testing.T) {
	o := mlp(model.GELU, model.CrossEntropy)
	a, err := o.Operator()
	if err != nil {
		t.Fatal(err)
	}
	const steps, pairs = 12, 5
	run := func(keep curvature.Keeper, ctx context.Context) (all []float32, taken int, err error) {
		first, last := -1, 0
		s := session(t, a, curvature.Options{Vectors: 2, Seed: 4, Keep: keep, Progress: func(done, _ int) {
			if first < 0 {
				first = done
			}
			last = done
		}})
		defer s.Close()
		tri, err := s.Lanczos(ctx, steps, curvature.Normal)
		if err != nil {
			return nil, last - first, err
		}
		var of [][]curvature.Ritz
		for _, x := range tri {
			r, err := x.Ritz()
			if err != nil {
				t.Fatal(err)
			}
			of = append(of, r[:pairs])
		}
		found, err := s.Eigenpairs(ctx, of)
		for _, cell := range found {
			for _, p := range cell {
				all = append(append(all, float32(p.Value), float32(p.Residual)), p.Vector...)
			}
		}
		return all, last - first, err
	}
	want, taken, err := run(nil, context.Background())
	if err != nil || taken != steps {
		t.Fatalf("%d steps, %v", taken, err)
	}
	for _, at := range []int{steps, steps + pairs - 2} { // a step asks whether a checkpoint is due, but for the first; so does an eigenvector
		file := &curvature.File{Path: filepath.Join(t.TempDir(), "checkpoint.safetensors")}
		ctx, stop := context.WithCancel(context.Background())
		if _, _, err := run(&stopping{file, at, stop}, ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped: error %v", err)
		}
		got, taken, err := run(&stopping{file, 0, func() {}}, context.Background())
		if err != nil || taken != 0 {
			t.Errorf("stopped in the eigenvectors, the processes took %d steps again, %v", taken, err)
		}
		if !slices.Equal(bitsOf(got), bitsOf(want)) {
			t.Error("eigenvectors of processes that were kept are others")
		}
	}
}

// TestResume: every estimator, stopped in its midst and taken up in another session, gives the bits of one that went through.
func TestResume(t *testing.T) {
	o := mlp(model.GELU, model.CrossEntropy)
	o.Batch = 3
	a, err := o.Operator()
	if err != nil {
		t.Fatal(err)
	}
	other := o
	other.Theta = [][]float32{normals(13, o.Model.D(), 0.5)}
	elsewhere, err := other.Operator()
	if err != nil {
		t.Fatal(err)
	}
	b := normals(3, 2*a.N, 1)
	for i := range b {
		b[i] = float32(math.Round(float64(b[i]) * 8)) // so that one more, and one less, is the same again
	}
	for name, run := range map[string]func(s *curvature.Session, ctx context.Context) ([]float32, error){
		"lanczos": func(s *curvature.Session, ctx context.Context) (all []float32, err error) {
			t, err := s.Lanczos(ctx, 20, curvature.Normal)
			for _, x := range t {
				all = append(append(all, x.Alpha...), x.Beta...)
			}
			return all, err
		},
		"hutchinson": func(s *curvature.Session, ctx context.Context) (all []float32, err error) {
			f, err := s.Hutchinson(ctx, 10)
			for _, x := range f {
				all = append(all, x...)
			}
			return all, err
		},
		"hutch++": func(s *curvature.Session, ctx context.Context) (all []float32, err error) {
			_, p, err := s.HutchPlusPlus(ctx, 5, 6)
			for _, m := range p {
				for _, x := range m {
					all = append(append(all, x.Known), x.Samples...)
				}
			}
			return all, err
		},
		"conjugate gradients": func(s *curvature.Session, ctx context.Context) (all []float32, err error) {
			x, err := s.Solve(ctx, b, 1, 1e-6, 15)
			for _, y := range x {
				all = append(all, y.X...)
			}
			return all, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			never := func() {}
			whole := &stopping{&curvature.File{Path: filepath.Join(t.TempDir(), "none")}, 0, never}
			var told []int
			note := func(done, of int) { told = append(told, done, of) }
			want, err := run(session(t, a, curvature.Options{Vectors: 2, Seed: 4, Keep: whole, Progress: note}), context.Background())
			if err != nil {
				t.Fatal(err)
			}
			steps := 1 - whole.left
			if n := len(told); n != 2*steps+2 || told[0] != 0 || told[n-2] != steps || told[n-1] != steps {
				t.Errorf("of %d steps %v was told", steps, told)
			}
			for _, at := range []int{1, 4, 7} {
				file := &curvature.File{Path: filepath.Join(t.TempDir(), "checkpoint.safetensors")}
				ctx, stop := context.WithCancel(context.Background())
				s := session(t, a, curvature.Options{Vectors: 2, Seed: 4, Keep: &stopping{file, at, stop}})
				if _, err := run(s, ctx); !errors.Is(err, context.Canceled) {
					t.Fatalf("stopped: error %v", err)
				}
				s.Close()
				rest := &stopping{file, 0, never}
				got, err := run(session(t, a, curvature.Options{Vectors: 2, Seed: 4, Keep: rest}), context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if -rest.left != -whole.left-at {
					t.Errorf("of %d steps after the first %d were taken after a stop behind number %d", -whole.left, -rest.left, at)
				}
				if !slices.Equal(bitsOf(got), bitsOf(want)) {
					t.Errorf("stopped after %d steps and taken up it is\n%v; gone through\n%v", at, got, want)
				}
				// A checkpoint of other parameters, or of another right-hand side, is none of ours.
				for i := range b {
					b[i]++
				}
				of := a
				if name != "conjugate gradients" {
					of = elsewhere
				}
				ours, err := run(session(t, of, curvature.Options{Vectors: 2, Seed: 4}), context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if got, err := run(session(t, of, curvature.Options{Vectors: 2, Seed: 4, Keep: file}), context.Background()); err != nil || !slices.Equal(bitsOf(got), bitsOf(ours)) {
					t.Errorf("with the checkpoint of another it is\n%v; alone\n%v, error %v", got, ours, err)
				}
				for i := range b {
					b[i]--
				}
				// Another seed's checkpoint is none of ours.
				other, err := run(session(t, a, curvature.Options{Vectors: 2, Seed: 5, Keep: file}), context.Background())
				if err != nil || name != "conjugate gradients" && slices.Equal(bitsOf(other), bitsOf(want)) {
					t.Errorf("another seed gives the same, or error %v", err)
				}
			}
		})
	}
}

// A checkpoint with another bit is noticed, and not gone on with.
func TestDamagedCheckpoint(t *testing.T) {
	o := mlp(model.GELU, model.CrossEntropy)
	a, err := o.Operator()
	if err != nil {
		t.Fatal(err)
	}
	file := &curvature.File{Path: filepath.Join(t.TempDir(), "checkpoint.safetensors")}
	ctx, stop := context.WithCancel(t.Context())
	s := session(t, a, curvature.Options{Keep: &stopping{file, 5, stop}})
	if _, err := s.Lanczos(ctx, 20, curvature.Normal); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: error %v", err)
	}
	whole, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{len(whole) - 1, len(whole) - 40, len(whole) / 2} {
		damaged := slices.Clone(whole)
		damaged[at] ^= 4
		if err := os.WriteFile(file.Path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := session(t, a, curvature.Options{Keep: file}).Lanczos(t.Context(), 20, curvature.Normal); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("byte %d of %d is another one: error %v", at, len(whole), err)
		}
	}
}

// ending is a context that ends when it was asked so many times.
type ending struct {
	context.Context
	left *int
}

func (c ending) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A product stops between any two batches, and leaves nothing behind in the next one.
func TestProductAfterOneThatWasStopped(t *testing.T) {
	o := mlp(model.GELU, model.CrossEntropy)
	o.Batch = 2
	a, err := o.Operator()
	if err != nil {
		t.Fatal(err)
	}
	v := normals(3, a.N, 1)
	s := session(t, a, curvature.Options{})
	want, err := s.Multiply(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for left := range 12 {
		if _, err := s.Multiply(ending{t.Context(), &left}, v); err != nil {
			stopped++
		}
		got, err := s.Multiply(t.Context(), v)
		if err != nil || !slices.Equal(bitsOf(got), bitsOf(want)) {
			t.Fatalf("after a product that was stopped it is another one, or error %v", err)
		}
	}
	if stopped < 4 {
		t.Errorf("a product of four batches was stopped at %d places; want any of them", stopped)
	}
}
