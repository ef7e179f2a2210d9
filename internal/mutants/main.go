// Command mutants plants known faults, one at a time, and runs the tests that must notice. It fails if a fault survives.
// The faults are laid over the source by the go command's -overlay: no file of the tree changes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command. Its status is 1 if a fault survived, 2 if faults could not be planted.
func run(args []string, out, errs io.Writer) (status int) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(errs)
	match := flags.String("run", "", "only faults whose name matches `REGEXP`")
	kernels := flags.Bool("cuda", false, "plant faults in CUDA kernels instead: of each kind one in every function; needs make cuda, and its environment")
	quick := flags.Bool("quick", false, "run only the tests that are known to notice each fault")
	all := flags.Bool("all", false, "with -cuda: every fault")
	list := flags.Bool("list", false, "with -cuda: list the faults, and plant none")
	var part share
	flags.Var(&part, "part", "plant part `K/N` of them: every Nth, from the Kth")
	workers := flags.Int("j", 2, "plant `N` at a time")
	fail := func(err error) int {
		fmt.Fprintln(errs, "mutants:", err)
		return 2
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // it was told
		return 2
	}
	if flags.NArg() > 0 {
		return fail(fmt.Errorf("%q is no flag; -run takes a regular expression", flags.Args()))
	}
	only, err := regexp.Compile(*match)
	if err != nil {
		return fail(err)
	}
	if *workers < 1 {
		return fail(fmt.Errorf("-j %d: want at least 1", *workers))
	}
	flags.Visit(func(f *flag.Flag) {
		switch {
		case f.Name == "quick" && *kernels:
			err = errors.Join(err, errors.New("-quick is about the faults that are planted without -cuda"))
		case !slices.Contains([]string{"run", "cuda", "quick", "part", "j"}, f.Name) && !*kernels:
			err = errors.Join(err, fmt.Errorf("-%s is about the faults of -cuda, which is missing", f.Name))
		}
	})
	if err != nil {
		return fail(err)
	}
	planted, survived, skipped := 0, 0, 0
	if *kernels {
		l, err := newLab("cuda", "bin/mutants")
		if err == nil {
			l.named, l.equivalents, l.listed = named, equivalents, *list
			planted, survived, err = l.plantKernels(*all, *workers, part, only.MatchString)
		}
		if err != nil {
			return fail(err)
		}
		faults = nil
	}
	var chosen []fault
	for _, f := range faults {
		switch variant := f.lacks(); {
		case !only.MatchString(f.name):
		case variant != "":
			skipped++
			fmt.Fprintf(out, "SKIPPED   %s: this machine has no %s, and nothing can notice\n", f.name, variant)
		default:
			chosen = append(chosen, f)
		}
	}
	chosen = partOf(chosen, part)
	planted += len(chosen)
	lived, err := plantAll(chosen, *workers, *quick, out)
	if survived += lived; err != nil {
		return fail(err)
	}
	if *list {
		return 0
	}
	if !*kernels && planted+skipped == 0 {
		return fail(fmt.Errorf("no fault has a name that %q matches", *match))
	}
	fmt.Fprintf(out, "%d faults planted, %d survived", planted, survived)
	if skipped > 0 {
		fmt.Fprintf(out, ", %d SKIPPED", skipped)
	}
	fmt.Fprintln(out)
	if survived > 0 {
		return 1
	}
	return 0
}

// share is one of so many equal parts; the zero share is all there is.
type share struct{ part, of int }

func (s *share) String() string { return fmt.Sprintf("%d/%d", max(s.part, 1), max(s.of, 1)) }

// Set is flag.Value's.
func (s *share) Set(text string) error {
	k, n, _ := strings.Cut(text, "/")
	var errK, errN error
	s.part, errK = strconv.Atoi(k)
	s.of, errN = strconv.Atoi(n)
	if errK != nil || errN != nil || s.part < 1 || s.part > s.of {
		return errors.New("want K/N, with K from 1 to N")
	}
	return nil
}

// partOf is a part of what is there, in its order.
func partOf[T any](all []T, s share) (some []T) {
	for i := max(s.part, 1) - 1; i < len(all); i += max(s.of, 1) {
		some = append(some, all[i])
	}
	return some
}

// plantAll plants faults, so many at a time, and tells of each in their order; it stops at the first that cannot be planted.
func plantAll(all []fault, workers int, quick bool, out io.Writer) (survived int, err error) {
	type outcome struct {
		killer string
		err    error
		took   time.Duration
	}
	outcomes := make([]chan outcome, len(all))
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	var next atomic.Int64
	for range workers {
		go func() {
			for i := next.Add(1) - 1; int(i) < len(all); i = next.Add(1) - 1 {
				start := time.Now()
				killer, err := all[i].plant(quick)
				outcomes[i] <- outcome{killer, err, time.Since(start)}
			}
		}()
	}
	for i, f := range all {
		switch o := <-outcomes[i]; {
		case o.err != nil:
			next.Store(int64(len(all)))
			return survived, fmt.Errorf("%s: %w", f.name, o.err)
		case o.killer == "":
			survived++
			fmt.Fprintf(out, "SURVIVED  %s (%s)\n", f.name, f.packages)
		default:
			fmt.Fprintf(out, "killed    %s, by %s (%s)\n", f.name, o.killer, o.took.Round(time.Second))
		}
	}
	return survived, nil
}

// plant runs the tests with the fault, all of its packages or those by which it is known to be noticed, and names the first one that failed; "" if none did.
func (f fault) plant(quick bool) (killer string, err error) {
	file, _ := f.path()
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	at := f.find(source)
	if at == nil {
		return "", fmt.Errorf("%s has no %q any more; mend the list", f.file, f.from)
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	mutant, overlay := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(mutant, slices.Concat(source[:at[0]], []byte(f.to), source[at[1]:]), 0o666); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o666); err != nil {
		return "", err
	}
	args := []string{"test", "-overlay", overlay, "-failfast", "-short", "-vet=off"}
	if quick {
		args = append(args, "-run", f.pattern())
	}
	args = append(args, strings.Fields(f.packages)...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	// A panic of another goroutine than the test's own ends the program without naming the test: the running ones are told.
	if m := regexp.MustCompile(`(?:--- FAIL: |(?s)panic: .*\n\t?lockstep/\S*\.)(Test\w+)`).FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "", fmt.Errorf("the tests did not run:\n%s", out)
}

// anchor finds a piece of a source, whatever space is between its words.
func anchor(text string) *regexp.Regexp {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = regexp.QuoteMeta(w)
	}
	return regexp.MustCompile(strings.Join(words, `\s+`))
}
