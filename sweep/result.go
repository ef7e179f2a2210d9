package sweep

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
)

// Hex is a float32 in a declared result: eight lower-case hex digits of its bits.
type Hex float32

func (x Hex) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%08x", math.Float32bits(float32(x))), nil
}

func (x *Hex) UnmarshalText(b []byte) error {
	var bits [4]byte
	if len(b) != hex.EncodedLen(len(bits)) {
		return fmt.Errorf("%q is not a float32 as eight hex digits", b)
	}
	if _, err := hex.Decode(bits[:], b); err != nil {
		return fmt.Errorf("%q is not a float32 as eight hex digits", b)
	}
	*x = Hex(math.Float32frombits(uint32(bits[0])<<24 | uint32(bits[1])<<16 | uint32(bits[2])<<8 | uint32(bits[3])))
	return nil
}

// Declared are the results that have bits: they are hashed into the digest, and any engine reproduces them.
type Declared struct {
	Steps        int    `json:"steps"`         // steps done
	Diverged     bool   `json:"diverged"`      // the loss of step Steps was not finite; the cell kept the State before it
	Z            string `json:"z"`             // SHA-256 of the first d entries of z, float32 little endian
	TrainLoss    Hex    `json:"train_loss"`    // mean over the training rows
	TrainCorrect int    `json:"train_correct"` // training rows classified right
	TestLoss     Hex    `json:"test_loss"`     // NaN where there are no test rows
	TestCorrect  int    `json:"test_correct"`
	Losses       []Hex  `json:"losses"` // of the training batches of LossSteps, as far as Steps went
}

// keptLosses bounds the losses that a result keeps.
const keptLosses = 64

// LossSteps are the steps of a training whose loss a result keeps: 64 of them at equal distances, or all if there are
// fewer, the first and the last among them.
func LossSteps(steps int) []int {
	kept := make([]int, min(steps, keptLosses))
	for i := range kept {
		if i > 0 {
			kept[i] = i * (steps - 1) / (len(kept) - 1)
		}
	}
	return kept
}

// lossTable is LossSteps as the training program reads them.
func lossTable(steps int) (table []uint32) {
	for _, k := range LossSteps(steps) {
		table = append(table, uint32(k))
	}
	for len(table) < keptLosses {
		table = append(table, math.MaxUint32)
	}
	return table
}

// Derived is what float64 host code makes of the declared results: for reading, never hashed.
type Derived struct {
	TrainLoss    *float64 `json:"train_loss"` // null where it is not finite
	TestLoss     *float64 `json:"test_loss"`
	TestAccuracy *float64 `json:"test_accuracy"` // null where there are no test rows
	Performance  float64  `json:"performance"`   // test accuracy; exp(-train loss) where there are no test rows; 0 for a diverged cell and for one whose loss is not finite
}

// Result is what one cell gave.
type Result struct {
	ID       string   `json:"id"` // the cell's identity
	Arm      string   `json:"arm"`
	Axes     Axes     `json:"axes"`
	Seed     uint64   `json:"seed"`
	Params   int      `json:"params"` // D
	D        int      `json:"d"`
	Steps    int      `json:"steps"` // to do
	Law      int      `json:"law"`
	Declared Declared `json:"declared"`
	Derived  Derived  `json:"derived"`
	Joules   *float64 `json:"joules,omitempty"` // that its device used for it, where that is known: no result, and never hashed
}

// Name tells a reader which cell it is: arm, axes, seed.
func (r Result) Name() string { return cellName(r.Arm, r.Axes, r.Seed) }

// derive fills in the derived results.
func (r *Result) derive(testRows int) {
	d := r.Declared
	r.Derived = Derived{TrainLoss: finite(float64(d.TrainLoss)), TestLoss: finite(float64(d.TestLoss))}
	switch {
	case testRows > 0:
		accuracy := float64(d.TestCorrect) / float64(testRows)
		r.Derived.TestAccuracy = &accuracy
		r.Derived.Performance = accuracy
	case r.Derived.TrainLoss != nil:
		r.Derived.Performance = math.Exp(-*r.Derived.TrainLoss)
	}
	if d.Diverged || r.unfit(testRows) {
		r.Derived.Performance = 0
	}
}

// unfit tells whether the loss that the cell ended with is not finite: its last update may have been the one too far.
func (r *Result) unfit(testRows int) bool {
	return r.Derived.TrainLoss == nil || testRows > 0 && r.Derived.TestLoss == nil
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// WriteResults writes one JSON object a line.
func WriteResults(w io.Writer, results ...Result) error {
	enc := json.NewEncoder(w)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// strictly reads JSON as it was written: no field missing, unknown, twice or out of order.
func strictly(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if again, err := json.Marshal(v); err != nil || !bytes.Equal(again, text) {
		return errors.New("fields are missing, twice or out of order")
	}
	return nil
}

// Digest is the SHA-256 over the results' identities and declared results, sorted by identity. Two runs of the same cells
// agree when their digests do, whatever engine, pack and threads they used.
func Digest(results []Result) (string, error) {
	d := newDigester()
	for _, r := range slices.SortedFunc(slices.Values(results), func(a, b Result) int { return cmp.Compare(a.ID, b.ID) }) {
		if err := d.add(r); err != nil {
			return "", err
		}
	}
	return d.sum(), nil
}

// digester makes a digest of results that come in the order of their identities.
type digester struct {
	hash hash.Hash
	last string
}

func newDigester() *digester { return &digester{hash: sha256.New()} }

func (d *digester) add(r Result) error {
	if r.ID <= d.last {
		return fmt.Errorf("cell %s comes after %s: twice, or out of order", r.ID, d.last)
	}
	d.last = r.ID
	declared, err := json.Marshal(r.Declared)
	if err == nil {
		_, err = fmt.Fprintf(d.hash, "law %d\n%s\n%s\n", r.Law, r.ID, declared)
	}
	return err
}

func (d *digester) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }
