package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A kernelFault is a fault of one kernel file NAME.cu: in itself, or in a copy of a header that it uses.
type kernelFault struct {
	site
	name string
}

func (f kernelFault) String() string { return fmt.Sprintf("%s, %s: %s", f.name, f.site, f.kind) }

// lab is where faults are planted: copies of sources, the emulated driver built with them, the conformance suite.
type lab struct {
	cuda        string // the folder of the kernels
	dir         string // what it makes
	suite       string // the conformance suite of package gpu, as a program
	sources     map[string]string
	named       []namedFault
	listed      bool // faults are listed, and not planted
	equivalents []equal
	clean       sync.Map // kernel file and detector -> func() error: what the suite says of the kernels as they are
}

// detector is a way to run the conformance suite.
type detector struct {
	name  string
	flags []string // of build.sh
	env   []string
	run   []string // what runs the program
	args  []string // its arguments
}

var (
	forward  = detector{name: "forward", env: []string{"LOCKSTEP_EMU_ORDER=forward"}}
	reverse  = detector{name: "reverse", env: []string{"LOCKSTEP_EMU_ORDER=reverse"}}
	permuted = detector{name: "permuted", env: []string{"LOCKSTEP_EMU_ORDER=permuted"}}
	address  = detector{name: "address", flags: []string{"-fsanitize=address"},
		env: []string{"LD_PRELOAD=" + library("asan"), "ASAN_OPTIONS=detect_leaks=0:handle_segv=0"}}
	thread = detector{name: "thread", flags: []string{"-fsanitize=thread"},
		env: []string{"LD_PRELOAD=" + library("tsan"), "TSAN_OPTIONS=halt_on_error=1", "GODEBUG=asyncpreemptoff=1"}, run: []string{"setarch", "-R"}, args: []string{"-few=4"}}
)

// detectors are those that may see a fault of a kind, the likely one first.
func detectors(kind string) []detector {
	switch kind {
	case barrier:
		return usable(thread, forward, reverse, permuted)
	case bound:
		return usable(forward, address, thread, reverse, permuted)
	}
	return usable(forward, reverse, permuted)
}

// usable leaves out the sanitizers that the compiler lacks.
func usable(all ...detector) []detector {
	return slices.DeleteFunc(all, func(d detector) bool { return len(d.flags) > 0 && !filepath.IsAbs(library(d.name[:1]+"san")) })
}

// library is the path of a sanitizer's own library.
func library(name string) string {
	out, _ := exec.Command("gcc", "-print-file-name=lib"+name+".so").Output()
	return strings.TrimSpace(string(out))
}

// newLab reads the sources of the kernels and builds the suite.
func newLab(cuda, dir string) (*lab, error) {
	l := &lab{cuda: cuda, sources: map[string]string{}}
	var err error
	if l.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(cuda, "*.cu*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		l.sources[filepath.Base(path)] = string(text)
	}
	if err := os.MkdirAll(l.dir, 0o777); err != nil {
		return nil, err
	}
	l.suite = filepath.Join(l.dir, "conformance")
	return l, command(nil, "go", "test", "-c", "-tags", "cuda", "-o", l.suite, "./gpu")
}

// command runs a program; what it says is the error if it fails.
func command(env []string, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// write writes the sources into a folder, as edit gives them.
func (l *lab) write(dir string, edit func(file, text string) string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for file, text := range l.sources {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(edit(file, text)), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// kernelFiles are the names of the .cu files.
func (l *lab) kernelFiles() (names []string) {
	for file := range l.sources {
		if name, ok := strings.CutSuffix(file, ".cu"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// marker is what a survey puts at a site: no code, but the site's number in a section of the object.
const marker = `template <int N> __attribute__((always_inline)) inline int emu_site() {
  __asm__ volatile(".pushsection .lockstep_sites,\"\",@progbits\n.long %c0\n.popsection" ::"i"(N));
  return 0;
}
`

// survey finds the faults that each kernel file has: the sites of which a compiler makes code for it. So a fault of a header
// is one of every file whose kernels use that function of it, and of no other.
func (l *lab) survey() (faults []kernelFault, err error) {
	var sites []site
	dir := filepath.Join(l.dir, "survey")
	marked := map[string][]edit{}
	for _, file := range slices.Sorted(keys(l.sources)) {
		for _, s := range sitesOf(file, l.sources[file]) {
			s.mark.text = strings.ReplaceAll(s.mark.text, "%d", fmt.Sprint(len(sites)))
			marked[file] = append(marked[file], s.mark)
			sites = append(sites, s)
		}
	}
	if err := l.write(dir, func(file, text string) string {
		slices.SortStableFunc(marked[file], func(a, b edit) int { return a.from - b.from })
		return apply(text, marked[file]...)
	}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "marker.h"), []byte(marker), 0o666); err != nil {
		return nil, err
	}
	var files []string
	for _, name := range l.kernelFiles() {
		files = append(files, filepath.Join(dir, name+".cu"))
	}
	objects := filepath.Join(l.dir, "survey-obj")
	if err := os.RemoveAll(objects); err != nil {
		return nil, err
	}
	env := []string{"EMU_KERNELS=" + strings.Join(files, " "), "EMU_OBJ=" + objects}
	if err := command(env, "cuda/emu/build.sh", filepath.Join(dir, "libcuda-emu.so"), "-O0", "-g0", "-w", "-include", filepath.Join(dir, "marker.h")); err != nil {
		return nil, err
	}
	for _, name := range l.kernelFiles() {
		found, err := filepath.Glob(filepath.Join(objects, "*", "*+"+name+".k.o"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("objects of %s: %v, %w", name, found, err)
		}
		o, err := elf.Open(found[0])
		if err != nil {
			return nil, err
		}
		has := map[uint32]bool{}
		if section := o.Section(".lockstep_sites"); section != nil {
			data, err := section.Data()
			if err != nil {
				return nil, err
			}
			for ; len(data) >= 4; data = data[4:] {
				has[binary.LittleEndian.Uint32(data)] = true
			}
		}
		o.Close()
		for i, s := range sites {
			if has[uint32(i)] {
				faults = append(faults, kernelFault{s, name})
			}
		}
	}
	return faults, nil
}

// keys ranges over the keys of a map.
func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// plant runs the suite's cases of the fault's kernels by one detector after the other, and tells by which it was noticed and
// how; "" if by none. Worker i has a folder of its own.
func (l *lab) plant(f kernelFault, worker int) (by, how string, err error) {
	dir := filepath.Join(l.dir, fmt.Sprint("worker", worker))
	if err := l.write(dir, func(file, text string) string {
		if file == f.file {
			return apply(text, f.edits...)
		}
		return text
	}); err != nil {
		return "", "", err
	}
	for _, d := range detectors(f.kind) {
		driver, kernels, err := l.build(f.name, d, dir)
		if err != nil {
			return "", "", err
		}
		found, err := l.run(d, driver, kernels)
		if err != nil {
			return "", "", err
		}
		if found == "" {
			continue
		}
		check, _ := l.clean.LoadOrStore(f.name+" "+d.name, sync.OnceValue(func() error {
			found, err := l.run(d, l.whole(d), kernels)
			if err == nil && found != "" {
				err = fmt.Errorf("%s, by %s, without any fault: %s", f.name, d.name, found)
			}
			return err
		}))
		return d.name, found, check.(func() error)()
	}
	return "", "", nil
}

// build builds the emulated driver with NAME.cu of a worker's folder, and lists its kernels. Workers need not wait for each other.
func (l *lab) build(name string, d detector, dir string) (driver string, kernels []string, err error) {
	files := filepath.Join(dir, name+".cu")
	if name != "keep" { // which moves what goes into every case and comes out
		keep, err := filepath.Abs(filepath.Join("cuda", "keep.cu"))
		if err != nil {
			return "", nil, err
		}
		files = keep + " " + files
	}
	driver = filepath.Join(dir, d.name, "libcuda-emu.so")
	env := []string{"EMU_KERNELS=" + files, "EMU_LOCK=" + filepath.Join(dir, "lock")}
	if err := command(env, "cuda/emu/build.sh", append([]string{driver}, d.flags...)...); err != nil {
		return "", nil, fmt.Errorf("the copy does not build: %w", err)
	}
	list, err := os.ReadFile(driver + ".kernels")
	for _, k := range strings.Fields(string(list)) {
		if k != "keep" || name == "keep" {
			kernels = append(kernels, k)
		}
	}
	return driver, kernels, err
}

// whole is the emulated driver with all kernels as they are.
func (l *lab) whole(d detector) string {
	return filepath.Join(l.dir, "whole", d.name, "libcuda-emu.so")
}

// run tells what the suite says of some kernels of a driver; "" if all is well, or if no case launches them.
func (l *lab) run(d detector, driver string, kernels []string) (finding string, err error) {
	args := slices.Concat(d.run, []string{l.suite, "-test.run=Conformance|PeakKernels", "-test.failfast", "-kernels=" + strings.Join(kernels, ",")}, d.args)
	c := exec.Command(args[0], args[1:]...)
	c.Dir = filepath.Dir(driver)
	c.Env = slices.Concat(os.Environ(), []string{"LOCKSTEP_CUDA_DRIVER=" + driver, "REQUIRE=cuda"}, d.env)
	text, err := c.CombinedOutput()
	if err == nil {
		return "", nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return "", err
	}
	if bytes.Contains(text, []byte("this build has no kernel")) {
		return "", fmt.Errorf("a case needs a kernel of another file: %s", firstFinding(text))
	}
	return firstFinding(text), nil
}

// firstFinding is the line of the suite's output that says what is wrong.
func firstFinding(text []byte) string {
	lines := bytes.Split(text, []byte("\n"))
	for _, sign := range []string{"ThreadSanitizer:", "AddressSanitizer:", "emu:", "optest.go:", "_test.go:", "panic:", "FAIL"} {
		for _, line := range lines {
			if at := bytes.Index(line, []byte(sign)); at >= 0 && !bytes.Contains(line, []byte(": on cuda:")) {
				return fmt.Sprintf("%.140s", line[at:])
			}
		}
	}
	return "it ends with an error"
}

// plantKernels plants faults in kernels and returns how many, and how many survived: of each kind one in every function,
// or all; of those whose names match, a part.
func (l *lab) plantKernels(all bool, workers int, part share, matches func(string) bool) (planted, survived int, err error) {
	faults, err := l.survey()
	if err != nil {
		return 0, 0, err
	}
	if err := l.checkEquivalents(faults); err != nil {
		return 0, 0, err
	}
	named, err := l.namedFaults()
	if err != nil {
		return 0, 0, err
	}
	faults = append(faults, named...)
	if !all {
		faults = l.oneOfEach(faults)
	}
	faults = slices.DeleteFunc(faults, func(f kernelFault) bool { return !matches(f.String()) })
	if len(faults) == 0 {
		return 0, 0, errors.New("no fault of a kernel has such a name")
	}
	faults = partOf(faults, part)
	if l.listed {
		for _, f := range faults {
			fmt.Println(f)
		}
		return 0, 0, nil
	}
	for _, d := range []detector{address, thread} {
		if len(usable(d)) == 0 {
			fmt.Printf("SKIPPED: gcc has no %s sanitizer\n", d.name)
		}
	}
	for _, d := range usable(forward, address, thread) { // with it, what all workers share
		if err := command(nil, "cuda/emu/build.sh", append([]string{l.whole(d)}, d.flags...)...); err != nil {
			return 0, 0, err
		}
	}
	work := make(chan kernelFault)
	go func() {
		defer close(work)
		for _, f := range faults {
			work <- f
		}
	}()
	var wait sync.WaitGroup
	var mu sync.Mutex
	equal := 0
	for i := range workers {
		wait.Go(func() {
			for f := range work {
				start := time.Now()
				by, how, e := l.plant(f, i)
				reason := l.equivalent(f)
				mu.Lock()
				switch {
				case e != nil:
					err = errors.Join(err, fmt.Errorf("%s: %w", f, e))
				case by == "" && reason != "":
					equal++
					fmt.Printf("equal     %s: %s\n", f, reason)
				case by == "":
					survived++
					fmt.Printf("SURVIVED  %s\n", f)
				case reason != "":
					err = errors.Join(err, fmt.Errorf("%s: it is noticed by %s, so it is not equivalent: %s", f, by, how))
				default:
					fmt.Printf("killed    %s, by %s: %s (%.1fs)\n", f, by, how, time.Since(start).Seconds())
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	fmt.Printf("%d faults in %d kernel files, of which %d change nothing\n", len(faults), len(l.kernelFiles()), equal)
	return len(faults) - equal, survived, err
}

// oneOfEach keeps, for every kernel file, every barrier and the first fault of each other kind in each of its functions, and one
// of each kind in the headers that it uses if it has none of its own; for every header the same, in the first kernel file that uses
// the function.
func (l *lab) oneOfEach(faults []kernelFault) (some []kernelFault) {
	foreign := func(f kernelFault) int {
		if f.file == f.name+".cu" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(faults, func(a, b kernelFault) int { return foreign(a) - foreign(b) })
	seen := map[string]bool{}
	for _, f := range faults {
		at := functionAt(l.sources[f.file], f.edits[0].from)
		if f.kind == barrier { // each keeps other threads from other words
			at = f.edits[0].from
		}
		kind, place := f.name+" "+f.kind, fmt.Sprint(f.file, " ", f.kind, " ", at)
		if l.equivalent(f) != "" || seen[place] && (foreign(f) == 0 || seen[kind]) {
			continue
		}
		seen[kind], seen[place] = true, true
		some = append(some, f)
	}
	return some
}

// functions are how a function begins, or one within another: a member, or a lambda that has a name.
var functions = regexp.MustCompile(`(?m)^(?:KERNEL\(| *__device__| *template <| *auto \w+ = \[)`)

// functionAt is where the function begins that a place of a source is in: at the last line before it that opens one.
func functionAt(source string, at int) int {
	begins := functions.FindAllStringIndex(source[:at], -1)
	if len(begins) == 0 {
		return 0
	}
	return begins[len(begins)-1][0]
}
