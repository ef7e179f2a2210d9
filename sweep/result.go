package sweep

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	if n, err := hex.Decode(bits[:], b); err != nil || n != 4 {
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
}

// Derived is what float64 host code makes of the declared results: for reading, never hashed.
type Derived struct {
	TrainLoss    *float64 `json:"train_loss"` // null where it is not finite
	TestLoss     *float64 `json:"test_loss"`
	TestAccuracy *float64 `json:"test_accuracy"` // null where there are no test rows
	Performance  float64  `json:"performance"`   // test accuracy; exp(-train loss) where there are no test rows; 0 for a diverged cell and for one whose loss is not finite
}

// Result is what one cell gave: one line of a sweep's results.jsonl.
type Result struct {
	ID       string   `json:"id"` // the cell's identity
	Arm      string   `json:"arm"`
	Axes     []Axis   `json:"axes"`
	Seed     uint64   `json:"seed"`
	Params   int      `json:"params"` // D
	D        int      `json:"d"`
	Law      int      `json:"law"`
	Declared Declared `json:"declared"`
	Derived  Derived  `json:"derived"`
}

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

// ReadResults reads what WriteResults wrote; name stands in its errors. A damaged line is an error that names it.
func ReadResults(name string, r io.Reader) ([]Result, error) {
	var out []Result
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		var res Result
		if err := dec.Decode(&res); err != nil {
			return nil, fmt.Errorf("%s: line %d is no result: %w", name, n, err)
		}
		if len(res.ID) != 2*sha256.Size {
			return nil, fmt.Errorf("%s: line %d is no result: its id is %q, not a SHA-256", name, n, res.ID)
		}
		if again, err := json.Marshal(res); err != nil || !bytes.Equal(again, lines.Bytes()) {
			return nil, fmt.Errorf("%s: line %d is no result as it was written: fields are missing, twice or out of order", name, n)
		}
		out = append(out, res)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// Digest is the SHA-256 over the results' identities and declared results, sorted by identity. Two runs of the same cells
// agree when their digests do, whatever engine, pack and threads they used.
func Digest(results []Result) (string, error) {
	sorted := slices.SortedFunc(slices.Values(results), func(a, b Result) int { return cmp.Compare(a.ID, b.ID) })
	h := sha256.New()
	for i, r := range sorted {
		if i > 0 && r.ID == sorted[i-1].ID {
			return "", fmt.Errorf("two results of cell %s", r.ID)
		}
		d, err := json.Marshal(r.Declared)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "law %d\n%s\n%s\n", r.Law, r.ID, d)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
