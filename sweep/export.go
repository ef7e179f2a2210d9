package sweep

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"lockstep/internal/nearest"
)

// formats: what results are exported as; one line per entry.
var formats = []struct {
	name  string
	write func(l *Ledger, w io.Writer) error
}{
	{"csv", (*Ledger).writeCSV},
	{"jsonl", (*Ledger).writeJSONL},
}

// Formats lists the formats of Export.
func Formats() (names []string) {
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Export writes the results of the cells that have ended, in the order of the card, one line each.
//
// csv: with a line of names; a column for each axis, empty where a cell's arm does not have it; losses with as many digits
// as tell their float32 apart, NaN and +Inf as such; test columns empty where there are no test rows, joules where no device tells of its energy.
//
// jsonl: a Result as JSON.
func (l *Ledger) Export(format string, w io.Writer) error {
	for _, f := range formats {
		if f.name == format {
			return f.write(l, w)
		}
	}
	return nearest.Unknown("format", format, Formats())
}

func (l *Ledger) writeJSONL(w io.Writer) error {
	enc := json.NewEncoder(w)
	for r, err := range l.Results() {
		if err == nil {
			err = enc.Encode(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) writeCSV(w io.Writer) error {
	var axes []string
	for r, err := range l.Results() {
		if err != nil {
			return err
		}
		for _, a := range r.Axes {
			if !slices.Contains(axes, a.Name) {
				axes = append(axes, a.Name)
			}
		}
	}
	out := csv.NewWriter(w)
	head := []string{"arm"}
	for _, name := range axes {
		head = append(head, "axis_"+name) // no axis hides a column
	}
	if err := out.Write(append(head, "seed", "params", "d", "steps", "diverged", "train_loss", "train_correct", "test_loss", "test_correct",
		"test_accuracy", "performance", "z_sha256", "law", "id", "joules")); err != nil {
		return err
	}
	for r, err := range l.Results() {
		if err != nil {
			return err
		}
		d := r.Declared
		row := []string{r.Arm}
		for _, name := range axes {
			row = append(row, r.Axes.value(name, ""))
		}
		row = append(row, strconv.FormatUint(r.Seed, 10), strconv.Itoa(r.Params), strconv.Itoa(r.D), strconv.Itoa(d.Steps), strconv.FormatBool(d.Diverged),
			shortest(d.TrainLoss), strconv.Itoa(d.TrainCorrect))
		if a := r.Derived.TestAccuracy; a != nil {
			row = append(row, shortest(d.TestLoss), strconv.Itoa(d.TestCorrect), strconv.FormatFloat(*a, 'g', -1, 64))
		} else {
			row = append(row, "", "", "")
		}
		row = append(row, strconv.FormatFloat(r.Derived.Performance, 'g', -1, 64), d.Z, fmt.Sprint(r.Law), r.ID)
		if r.Joules != nil {
			row = append(row, strconv.FormatFloat(*r.Joules, 'g', 6, 64))
		} else {
			row = append(row, "")
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// shortest is the decimal number with fewest digits that rounds to x.
func shortest(x Hex) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
