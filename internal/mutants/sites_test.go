package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSites: what is a place of a fault, what is none, and what is planted there.
func TestSites(t *testing.T) {
	const source = `// add(mul(a, b), c) in a comment; __syncthreads();
__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }
KERNEL(256) k(const Args a) {
  if (i >= a.words) return;
  for (uint32_t j = 0; j < 4; j++) x = add(c, mul(f(a, b), d));
  const uint32_t n = left < right ? left : right;
  __syncthreads();
  if (i < a.n) v = sub(mul(a, b), c);
  v += __shfl_xor_sync(0xffffffffu, v, h);
  u = mul(u, x); u = add(y, u);
  u = f(x); u = add(y, u);
  y = add(mul(a, b) - 1, c);
  cp_async_wait<N>();
}
`
	var got []string
	for _, s := range sitesOf("k.cu", source) {
		for _, e := range s.edits {
			got = append(got, fmt.Sprintf("%d %s|%s|%s", s.line, s.kind, source[e.from:e.to], e.text))
		}
	}
	want := []string{
		"7 barrier removed|__syncthreads();|;", "13 barrier removed|cp_async_wait<N>();|;",
		"9 mask without its lowest lane|0xffffffffu|(0xffffffffu) & ((0xffffffffu) - 1)",
		"4 bound one too far|>=|>", "8 bound one too far|<|<=",
		"5 multiply-add contracted|add(c, mul(f(a, b), d))|fma32(f(a, b), d, c)",
		"8 multiply-add contracted|sub(mul(a, b), c)|fma32(a, b, -(c))",
		"10 multiply-add contracted||const float factor0 = u, factor1 = x; ", "10 multiply-add contracted|add(y, u)|fma32(factor0, factor1, y)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestFunctionAt(t *testing.T) {
	const source = `// head
KERNEL(1) a() {
  w;
}

template <int N>
__device__ void b() {
  x;
  auto inner = [&](int i) {
    y;
  };
}

struct S {
  __device__ int member() {
    z;
  }
};
`
	for at, want := range map[string]string{"head": "// head", "w;": "KERNEL(1) a", "x;": "__device__ void b", "y;": "  auto inner =", "z;": "  __device__ int member"} {
		if begin := functionAt(source, strings.Index(source, at)); !strings.HasPrefix(source[begin:], want) {
			t.Errorf("%s is in the function at %.20q; want %q", at, source[begin:], want)
		}
	}
}

// Of each kind one in every function, of headers, too, and every barrier.
func TestOneOfEach(t *testing.T) {
	const header = `
__device__ void first() {
  if (i < n) f();
  __syncthreads();
  if (i < m) f();
  __syncthreads();
}
__device__ void second() {
  if (i < n) f();
}
`
	const own = `
KERNEL(1) own() {
  if (i < n) f();
  if (i < m) f();
  __syncthreads();
  __syncthreads();
}
`
	l := &lab{sources: map[string]string{"h.cuh": header, "a.cu": "", "b.cu": "", "own.cu": own}}
	var all []kernelFault
	for _, name := range []string{"a", "b", "own"} { // all use the header whole
		for _, file := range []string{"h.cuh", name + ".cu"} {
			for _, s := range sitesOf(file, l.sources[file]) {
				all = append(all, kernelFault{s, name})
			}
		}
	}
	var got []string
	for _, f := range l.oneOfEach(all) {
		got = append(got, f.String())
	}
	slices.Sort(got)
	want := []string{
		"a, h.cuh:3: bound one too far", "a, h.cuh:4: barrier removed", "a, h.cuh:6: barrier removed", "a, h.cuh:9: bound one too far",
		"b, h.cuh:3: bound one too far", "b, h.cuh:4: barrier removed", // it has none of its own
		"own, own.cu:3: bound one too far", "own, own.cu:5: barrier removed", "own, own.cu:6: barrier removed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A flag that would do nothing is an error, and so is a name that no fault has.
func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"-list is about the faults of -cuda":     {"-list"},
		"-all is about the faults of -cuda":      {"-all"},
		`no fault has a name that "zzz" matches`: {"-run", "zzz"},
		"missing closing )":                      {"-run", "("},
		"is no flag":                             {"all"},
		"-j 0":                                   {"-j", "0"},
	} {
		var out strings.Builder
		if status := run(args, &out, &out); status != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("mutants %q: status %d, %s; want 2 and %s", args, status, &out, want)
		}
	}
}
