package gpu

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"lockstep/graph"
)

// Error is what a driver says went wrong, and with what.
type Error struct {
	Call     string // of the driver
	Name     string // such as CUDA_ERROR_ILLEGAL_ADDRESS
	Text     string // the driver's own
	Code     int
	Launches []Launch // one of them is at fault: where a card fails it says so later, to whoever waits for it
}

// Launch is what a kernel was launched with.
type Launch struct {
	Kernel    string
	Grid      [3]int
	Block     int // threads
	Shared    int // bytes of dynamic shared memory
	Arguments any // the kernel's struct
}

func (l Launch) String() string {
	return fmt.Sprintf("kernel %s, grid %v, %d threads, %d bytes of shared memory, arguments %s", l.Kernel, l.Grid, l.Block, l.Shared, text(reflect.ValueOf(l.Arguments)))
}

// text writes a kernel's argument: its fields by name, whole numbers in hexadecimal.
func text(v reflect.Value) string {
	var parts []string
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			parts = append(parts, v.Type().Field(i).Name+":"+text(v.Field(i)))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case reflect.Array:
		for i := range v.Len() {
			parts = append(parts, text(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Float32:
		return fmt.Sprint(v.Float())
	default:
		return fmt.Sprintf("%#x", v)
	}
}

// blockingVariable is the environment variable by which the engine waits for every launch.
const blockingVariable = "LOCKSTEP_CUDA_BLOCKING"

// mostNames is how many kernels an error names.
const mostNames = 12

func (e *Error) Error() string {
	what := fmt.Sprintf("CUDA: %s says %s (%d): %s", e.Call, e.Name, e.Code, e.Text)
	switch n := len(e.Launches); {
	case n == 1:
		what += fmt.Sprintf(" (%s)", e.Launches[0])
	case n > 1:
		var names []string
		for _, l := range e.Launches {
			if !slices.Contains(names, l.Kernel) {
				names = append(names, l.Kernel)
			}
		}
		if more := len(names) - mostNames; more > 0 {
			names = append(names[:mostNames], fmt.Sprintf("%d more", more))
		}
		what += fmt.Sprintf(" (in one of %d launches of %s; the last was of %s; %s=1 tells which)", n, strings.Join(names, ", "), e.Launches[n-1].Kernel, blockingVariable)
	}
	return what
}

// The driver's codes that mean something to the engine.
const (
	codeOutOfMemory = 2
	codeNoDevice    = 100
)

// Is tells what the error is to who knows of no driver: graph.ErrMemory or graph.ErrLost.
func (e *Error) Is(target error) bool {
	return target == graph.ErrMemory && e.Code == codeOutOfMemory || target == graph.ErrLost && e.sticky()
}

// sticky tells whether a context is of no use after the error: after all but those that refuse a call and do nothing.
func (e *Error) sticky() bool {
	switch e.Code {
	case 1, codeOutOfMemory, 3, codeNoDevice, 101, 200, 201, 209, 218, 400, 500, 600, 701, 801, 912:
		return false
	}
	return true
}

// launchesOf describes lists of launches.
func launchesOf(lists [][]work) (all []Launch) {
	for _, list := range lists {
		for _, w := range list {
			all = append(all, Launch{w.kernel, w.grid, w.block, w.shared, w.args.fields})
		}
	}
	return all
}
