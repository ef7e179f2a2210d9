package sweep

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
)

// FuzzSettings: no setting panics, and a card that one has changed is read again as it was.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"steps=3", "rule.lr=0.05", "arms.ternary.axes.d=[1, 2]", "rule.schedule={type='cosine'}", "seeds={range=[0,4]}", "arms=1", "name='x'", "a.b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, setting string) {
		c, err := ParseCard("small.toml", []byte(small))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Set(setting); err != nil || len(c.Seeds) > 100 {
			return
		}
		again, err := Record{Name: "small", Card: small, Settings: c.Settings}.Parse()
		if err != nil {
			t.Fatalf("%q is taken, and not read again: %v", setting, err)
		}
		a, errA := c.Cells()
		b, errB := again.Cells()
		if (errA == nil) != (errB == nil) || !slices.EqualFunc(a, b, func(a, b Cell) bool { return a.ID() == b.ID() }) {
			t.Fatalf("%q gives other cells when it is read again: %v, %v", setting, errA, errB)
		}
	})
}

// FuzzAxes: what is read as axes is written and read again, in its order.
func FuzzAxes(f *testing.F) {
	for _, s := range []string{`{}`, `{"width":"3","d":"10"}`, `{"a":1}`, `[]`, `{"a":"b"`, `{"a":"\ud800","a":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var axes, again Axes
		if json.Unmarshal(b, &axes) != nil {
			return
		}
		text, err := json.Marshal(axes)
		if err == nil {
			err = json.Unmarshal(text, &again)
		}
		if err != nil || !slices.Equal(again, axes) {
			t.Fatalf("%q is read as %q, and then as %q: %v", b, axes, again, err)
		}
	})
}

// FuzzDeclared: a declared result has one text, which its digest is made of; the values of any other are told apart.
func FuzzDeclared(f *testing.F) {
	one, err := json.Marshal(Declared{Steps: 3, Z: "ab", Losses: []Hex{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add(bytes.Replace(one, []byte("3f800000"), []byte("3F800000"), 1))
	f.Add([]byte(`{"steps":[{"a":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Declared
		if err := strictly(b, &d); err == nil {
			if again, err := json.Marshal(d); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%q is taken, and written as %q: %v", b, again, err)
			}
		}
		differ := 0
		compareJSON(string(b), string(one), func(path, has, want string) { differ++ })
		if (differ == 0) != bytes.Equal(b, one) {
			t.Fatalf("%q: %d differences from %q", b, differ, one)
		}
	})
}

// tiny is a card of two cells that are trained in no time: fuzzing sets them up again and again.
const tiny = `
name = "tiny"
seeds = [1, 2]
steps = 3
batch = 1
data = {name = "toy"}
model = {init = "zeros", layers = [{type = "group-sum", groups = 10, size = 1}]}
rule = {type = "adam", lr = 0.1}
map = {type = "ternary", d = 3}
`

func tinyCard(f *testing.F) (*Card, []Cell, graph.Engine) {
	card, err := ParseCard("tiny.toml", []byte(tiny))
	if err != nil {
		f.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		f.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		f.Fatal(err)
	}
	return card, cells, engine
}

// FuzzLedger: whatever stands in the texts of a ledger, reading it gives results or an error, and no digest of results that nobody declared.
func FuzzLedger(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "sweep")
	ran, cells, engine := tinyCard(f)
	if err := RunTo(f.Context(), dir, ran, cells, false, Options{Engine: engine}); err != nil {
		f.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, LedgerFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	var axes, declared, description, settings, card, started string
	scan := func(query string, to ...any) {
		if err := db.QueryRow(query).Scan(to...); err != nil {
			f.Fatal(err)
		}
	}
	scan("SELECT axes, declared, description FROM cells JOIN results USING (id) WHERE place = 0", &axes, &declared, &description)
	scan("SELECT settings, card FROM sweep", &settings, &card)
	scan("SELECT started FROM runs", &started)
	f.Add(axes, declared, description, settings, card, started)
	f.Add("{", "null", `{"split":{"test":-1}}`, "[1]", "name=", "now")
	f.Fuzz(func(t *testing.T, axes, declared, description, settings, card, started string) {
		for _, c := range []struct {
			statement string
			args      []any
		}{
			{"UPDATE cells SET axes = ?, description = ? WHERE place = 0", []any{axes, description}},
			{"UPDATE results SET declared = ? WHERE id = ?", []any{declared, cells[0].ID()}},
			{"UPDATE sweep SET settings = ?, card = ?", []any{settings, card}},
			{"UPDATE runs SET started = ?", []any{started}},
		} {
			if _, err := db.Exec(c.statement, c.args...); err != nil {
				t.Fatal(err)
			}
		}
		l, err := OpenLedger(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if r, err := l.Record(); err == nil {
			if c, err := r.Parse(); err == nil && len(c.Seeds) < 100 {
				c.Cells() // no panic
			}
		}
		results, err := l.All()
		if err != nil {
			return
		}
		for _, r := range results {
			if again, err := json.Marshal(r.Declared); err != nil || r.ID == cells[0].ID() && string(again) != declared {
				t.Fatalf("%q is read as %s", declared, again)
			}
		}
	})
}

// FuzzCheckpoint: a checkpoint that is not as it was written is an error, whether its SHA-256 fits or not, and takes no more memory than its size.
func FuzzCheckpoint(f *testing.F) {
	dir := f.TempDir()
	j := startedJob(f)
	path := filepath.Join(dir, checkpointDir, "fuzz"+checkpointEnding)
	if err := j.writeCheckpoint(path); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(bytes.Replace(whole, []byte(`"U32","shape":[2]`), []byte(`"F32","shape":[2]`), 1))
	f.Add(withoutRows(f, j))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, summed(b), 0o666); err != nil {
			t.Fatal(err)
		}
		found, err := findCheckpoints(dir)
		if err != nil {
			return
		}
		for i, c := range j.cells {
			r, ok := found.rows[c.ID()]
			if !ok {
				continue
			}
			if j.restoreCell(i, r) != nil {
				continue
			}
			if kept, err := j.losses(i); err != nil || len(kept) > keptLosses {
				t.Fatalf("%d losses, %v", len(kept), err)
			}
		}
	})
}

// withoutRows is a checkpoint of which one state has no rows, each of which would take more memory than there is.
func withoutRows(f *testing.F, j *job) []byte {
	n := len(j.cells)
	var tensors []data.Tensor
	for _, s := range j.states {
		t := data.Tensor{Name: s.name, DType: s.t.DType, Shape: append([]int{n}, s.t.Shape.Dims()...)}
		if s.name == zState {
			t.Shape = []int{0, 1, 1 << 60}
		}
		tensors = append(tensors, t)
	}
	ids, err := json.Marshal([]string{j.cells[0].ID(), j.cells[1].ID()})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	meta := map[string]string{"format": checkpointFormat, "law": strconv.Itoa(op.Version), "cells": string(ids), "sha256": strings.Repeat("0", 64)}
	if err := data.WriteTensors(&b, tensors, meta, func(t data.Tensor, w io.Writer) error {
		_, err := w.Write(make([]byte, t.Bytes()))
		return err
	}); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

// summed is a checkpoint with the SHA-256 that fits its elements, if it has the form of one.
func summed(b []byte) []byte {
	c, err := data.ReadTensors("fuzz", bytes.NewReader(b), int64(len(b)))
	if err != nil || len(c.Meta["sha256"]) != 2*sha256.Size {
		return b
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, c.Elements()); err != nil {
		return b
	}
	return bytes.Replace(b, []byte(c.Meta["sha256"]), []byte(hex.EncodeToString(sum.Sum(nil))), 1)
}

// startedJob is a pack of the tiny card with its training program.
func startedJob(f *testing.F) *job {
	_, cells, engine := tinyCard(f)
	packs, err := planPacks(cells, len(cells))
	if err != nil {
		f.Fatal(err)
	}
	p := packs[0]
	j := &job{packPlan: p, worker: &worker{runner: &runner{}, engine: engine}, capacity: p.capacity(), seeds: p.seeds(), trains: make([]training, len(p.cells))}
	j.pack, err = engine.NewPack(len(p.cells), graph.Groups{op.Seed: j.seeds})
	if err == nil {
		err = errors.Join(j.bind(), j.once(f.Context())(p.recipe.setup(j.capacity)))
	}
	if err != nil {
		f.Fatal(err)
	}
	prog, err := p.recipe.training(j.capacity)
	if err != nil {
		f.Fatal(err)
	}
	x, err := j.start(f.Context(), prog)
	if err == nil {
		err = x.Run(f.Context(), 2)
	}
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range prog.State {
		j.states = append(j.states, state{s.Name, prog.Types[s.In]})
	}
	return j
}
