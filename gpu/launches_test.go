package gpu

import (
	"fmt"
	"testing"
)

// An error tells the one launch that may be at fault with all that it was given, of many the kernels.
func TestErrorText(t *testing.T) {
	e := &Error{Call: "cuStreamSynchronize", Name: "CUDA_ERROR_LAUNCH_FAILED", Text: "unspecified launch failure", Code: 719}
	launch := func(kernel string, args any) Launch { return Launch{kernel, [3]int{3, 2, 1}, 256, 64, args} }
	few := []Launch{launch("keep", nil), launch("fill", nil), launch("keep", nil)}
	var many []Launch
	for i := range 15 {
		many = append(many, launch(fmt.Sprintf("k%d", i), nil))
	}
	const what = "CUDA: cuStreamSynchronize says CUDA_ERROR_LAUNCH_FAILED (719): unspecified launch failure"
	for _, c := range []struct {
		launches []Launch
		want     string
	}{
		{nil, ""},
		{[]Launch{launch("sum_rows", uniformArgs{out: view{0xabc0, 0, 16}, words: 300, lo: -0.5})},
			" (kernel sum_rows, grid [3 2 1], 256 threads, 64 bytes of shared memory, arguments {out:{base:0xabc0 slot:0x0 stride:0x10} " +
				"source:{key:{base:0x0 slot:0x0 stride:0x0} t:{base:0x0 slot:0x0 stride:0x0} tWords:0x0} words:0x12c lo:-0.5 width:0})"},
		{few, " (in one of 3 launches of keep, fill; the last was of keep; LOCKSTEP_CUDA_BLOCKING=1 tells which)"},
		{many, " (in one of 15 launches of k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, 3 more; the last was of k14; LOCKSTEP_CUDA_BLOCKING=1 tells which)"},
	} {
		if e.Launches = c.launches; e.Error() != what+c.want {
			t.Errorf("%s\nwant %s", e.Error(), what+c.want)
		}
	}
}
