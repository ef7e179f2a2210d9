// Command mutants plants known faults, one at a time, and runs the tests that must notice. It fails if a fault survives.
// The faults are laid over the source by the go command's -overlay: no file of the tree changes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	match := flag.String("run", "", "only faults whose name matches `REGEXP`")
	kernels := flag.Bool("cuda", false, "plant faults in CUDA kernels instead: of each kind one in every function; needs make cuda, and its environment")
	quick := flag.Bool("quick", false, "run only the tests that are known to notice each fault")
	all := flag.Bool("all", false, "with -cuda: every fault")
	list := flag.Bool("list", false, "with -cuda: list the faults, and plant none")
	workers := flag.Int("j", 2, "with -cuda: plant `N` at a time")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "mutants: %q is no flag; -run takes a regular expression\n", flag.Args())
		os.Exit(2)
	}
	only, err := regexp.Compile(*match)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	survived, planted := 0, 0
	if *kernels {
		l, err := newLab("cuda", "bin/mutants")
		if err == nil {
			l.named, l.equivalents, l.listed = named, equivalents, *list
			planted, survived, err = l.plantKernels(*all, *workers, only.MatchString)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutants:", err)
			os.Exit(2)
		}
		faults = nil
	}
	for _, f := range faults {
		if !only.MatchString(f.name) {
			continue
		}
		planted++
		start := time.Now()
		killer, err := f.plant(*quick)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "mutants: %s: %v\n", f.name, err)
			os.Exit(2)
		case killer == "":
			survived++
			fmt.Printf("SURVIVED  %s (%s)\n", f.name, f.packages)
		default:
			fmt.Printf("killed    %s, by %s (%s)\n", f.name, killer, time.Since(start).Round(time.Second))
		}
	}
	fmt.Printf("%d faults planted, %d survived\n", planted, survived)
	if survived > 0 {
		os.Exit(1)
	}
}

// plant runs the tests with the fault, all of its packages or those by which it is known to be noticed, and names the first one that failed; "" if none did.
func (f fault) plant(quick bool) (killer string, err error) {
	path, err := filepath.Abs(f.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	at := anchor(f.from).FindIndex(source)
	if at == nil {
		return "", fmt.Errorf("%s has no %q any more; mend the list", f.file, f.from)
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	mutant, overlay := filepath.Join(dir, filepath.Base(f.file)), filepath.Join(dir, "overlay.json")
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
	args := []string{"test", "-overlay", overlay, "-failfast", "-short"}
	if quick {
		args = append(args, "-run", "^("+f.by+")$")
	}
	args = append(args, strings.Fields(f.packages)...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	if m := regexp.MustCompile(`--- FAIL: (\S+)`).FindSubmatch(out); m != nil {
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
