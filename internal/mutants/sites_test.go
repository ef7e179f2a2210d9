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
	const source = "// head\nKERNEL(1) a() {\n  x;\n}\n\ntemplate <int N>\n__device__ void b() {\n  y;\n}\n"
	a, b := functionAt(source, strings.Index(source, "x;")), functionAt(source, strings.Index(source, "y;"))
	if source[a+1:a+7] != "KERNEL" || source[b+1:b+7] != "__devi" || functionAt(source, 3) != 0 {
		t.Errorf("functions at %d and %d", a, b)
	}
}
