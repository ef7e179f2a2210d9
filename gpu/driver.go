//go:build cuda

package gpu

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"

	"lockstep/cuda"
	"lockstep/cuda/loader"
)

// card is a device behind a CUDA driver: its primary context, its modules, one stream.
type card struct {
	index   int
	dev     cu.Device
	ctx     cu.CUContext
	stream  cu.Stream
	marks   [2]cu.Event
	modules []cu.Module
	host    []unsafe.Pointer // pinned memory
}

// kernelFunction is a kernel of a module.
type kernelFunction struct {
	cu.Function
	args int
}

func (f *kernelFunction) argBytes() int { return f.args }
func (f *kernelFunction) ptx() int      { return ptxVersion(raw(f.Function)) }

// raw is the driver's own handle, which gorgonia's structs hold and nothing else.
func raw[T cu.Function | cu.Stream | cu.Module](h T) handle { return *(*handle)(unsafe.Pointer(&h)) }

var (
	_ = [1]struct{}{}[unsafe.Sizeof(cu.Function{})-unsafe.Sizeof(handle(nil))]
	_ = [1]struct{}{}[unsafe.Sizeof(cu.Stream{})-unsafe.Sizeof(handle(nil))]
	_ = [1]struct{}{}[unsafe.Sizeof(cu.Module{})-unsafe.Sizeof(handle(nil))]
)

// checked makes an Error of gorgonia's, whose type is not exported: a CUresult.
func checked(call string, err error) error {
	if err == nil {
		return nil
	}
	v := reflect.ValueOf(err)
	if !v.CanInt() {
		return fmt.Errorf("CUDA: %s: %w", call, err)
	}
	return failedCode(call, int(v.Int()))
}

// Built tells whether this build has the CUDA engine.
const Built = true

// count is the number of cards that the kernels can run on, and the driver's library; where there are none, why.
func count() (n int, path, reason string) {
	path, reason = loader.Driver()
	if reason != "" {
		return 0, path, reason
	}
	if v := cu.Version(); v < minVersion {
		return 0, path, fmt.Sprintf("the driver %s knows CUDA %d.%d; the kernels need %d.%d or later: update the driver", path, v/1000, v%1000/10, minVersion/1000, minVersion%1000/10)
	}
	n, err := cu.NumDevices()
	switch {
	case err != nil:
		return 0, path, checked("cuDeviceGetCount", err).Error()
	case n == 0:
		reason = fmt.Sprintf("the driver %s has no device", path)
	}
	return n, path, reason
}

// Count is the number of cards that the kernels can run on; where there are none, why: no driver, one that is too old, no card.
func Count() (n int, reason string) {
	n, _, reason = count()
	return n, reason
}

// Devices lists the cards; none where Count is 0, and then why. It loads no kernels.
func Devices() (all []Info, reason string, err error) {
	n, reason := Count()
	for i := range n {
		t := newThread()
		err := t.do(func() error {
			c, err := attach(i)
			if err != nil {
				return err
			}
			all = append(all, c.info())
			return c.close()
		})
		t.close()
		if err != nil {
			return all, "", fmt.Errorf("cuda:%d: %w", i, err)
		}
	}
	return all, reason, nil
}

// Open makes an engine on the card of the given number. Errors: there are no cards, see Count; no such card.
func Open(index int) (*Engine, error) {
	switch n, reason := Count(); {
	case n == 0:
		return nil, fmt.Errorf("no CUDA device: %s", reason)
	case index < 0 || index >= n:
		return nil, fmt.Errorf("no CUDA device %d: there are %d, from 0", index, n)
	}
	return open(func() (device, error) { return openCard(index) })
}

// minVersion is that of the toolkit that compiles the kernels: a driver reads no newer PTX and fatbins than its own.
const minVersion = 13000

// attach makes a card's context current on this thread.
func attach(index int) (_ *card, err error) {
	c := &card{index: index}
	if c.dev, err = cu.GetDevice(index); err != nil {
		return nil, checked("cuDeviceGet", err)
	}
	if c.ctx, err = c.dev.RetainPrimaryCtx(); err != nil {
		return nil, checked("cuDevicePrimaryCtxRetain", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, checked("cuDevicePrimaryCtxRelease", c.dev.ReleasePrimaryCtx()))
		}
	}()
	if err = cu.SetCurrentContext(c.ctx); err != nil {
		return nil, checked("cuCtxSetCurrent", err)
	}
	if c.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return nil, checked("cuStreamCreate", err)
	}
	for i := range c.marks {
		if c.marks[i], err = cu.MakeEvent(cu.DisableTiming); err != nil {
			return nil, checked("cuEventCreate", err)
		}
	}
	return c, nil
}

// openCard is a card with its kernels.
func openCard(index int) (_ device, err error) {
	c, err := attach(index)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	images, err := cuda.Fatbins()
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		m, err := cu.LoadData(image.Code)
		if err != nil {
			return nil, fmt.Errorf("kernels of %s: %w", image.Name, checked("cuModuleLoadData", err))
		}
		c.modules = append(c.modules, m)
	}
	return c, nil
}

func (c *card) info() Info {
	path, _ := loader.Driver()
	attribute := func(a cu.DeviceAttribute) int {
		v, err := c.dev.Attribute(a)
		if err != nil {
			return 0
		}
		return v
	}
	i := Info{Index: c.index, Name: deviceName(int(c.dev)), Driver: path, Version: cu.Version(),
		Capability:      10*attribute(cu.ComputeCapabilityMajor) + attribute(cu.ComputeCapabilityMinor),
		Multiprocessors: attribute(cu.MultiprocessorCount), L2: int64(attribute(cu.L2CacheSize)), Shared: sharedOfBlock(int(c.dev))}
	i.Free, i.Memory, _ = cu.MemInfo()
	return i
}

// placeOf is a card's place on the PCI bus, as NVML writes it.
func placeOf(index int) (string, error) {
	dev, err := cu.GetDevice(index)
	if err != nil {
		return "", fmt.Errorf("cuda:%d: %w", index, checked("cuDeviceGet", err))
	}
	var place [3]any
	for i, a := range []cu.DeviceAttribute{cu.PciDomainID, cu.PciBusID, cu.PciDeviceID} {
		if place[i], err = dev.Attribute(a); err != nil {
			return "", fmt.Errorf("cuda:%d: %w", index, checked("cuDeviceGetAttribute", err))
		}
	}
	return fmt.Sprintf("%08X:%02X:%02X.0", place[:]...), nil
}

func (c *card) alloc(bytes int64) (uint64, error) {
	p, err := cu.MemAlloc(bytes)
	return uint64(p), checked("cuMemAlloc", err)
}

func (c *card) free(p uint64) error { return checked("cuMemFree", cu.MemFree(cu.DevicePtr(p))) }

func (c *card) available() (int64, error) {
	free, _, err := cu.MemInfo()
	return free, checked("cuMemGetInfo", err)
}

func (c *card) pinned(bytes int) ([]byte, error) {
	p, err := allocHost(bytes)
	if err != nil {
		return nil, err
	}
	c.host = append(c.host, p)
	return unsafe.Slice((*byte)(p), bytes), nil
}

func (c *card) copyIn(dst uint64, src []byte) error {
	return checked("cuMemcpyHtoDAsync", cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), c.stream))
}

func (c *card) copyOut(dst []byte, src uint64) error {
	return checked("cuMemcpyDtoHAsync", cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), c.stream))
}

func (c *card) mark(i int) error { return checked("cuEventRecord", c.marks[i].Record(c.stream)) }

func (c *card) wait(i int) error { return checked("cuEventSynchronize", c.marks[i].Synchronize()) }

func (c *card) clear(p uint64, bytes int64) error { return clearAsync(p, bytes, raw(c.stream)) }

func (c *card) function(name string, shared int) (function, error) {
	for _, m := range c.modules {
		f, err := m.Function(name)
		if err != nil {
			continue
		}
		if shared > 48<<10 {
			if err := allowShared(raw(f), shared); err != nil {
				return nil, fmt.Errorf("kernel %s, %d bytes of shared memory: %w", name, shared, err)
			}
		}
		return &kernelFunction{f, paramBytes(raw(f))}, nil
	}
	return nil, fmt.Errorf("cuda: this build has no kernel %q", name)
}

func (c *card) launch(f function, grid [3]int, block, shared, cluster int, args argument) error {
	return launchKernel(raw(f.(*kernelFunction).Function), grid, block, shared, cluster, raw(c.stream), args.bytes)
}

func (c *card) record(f func() error) (recording, error) {
	g, err := capture(raw(c.stream), f)
	if err != nil {
		return nil, err // no *execGraph, which would be a recording
	}
	return g, nil
}

func (c *card) sync() error { return checked("cuStreamSynchronize", c.stream.Synchronize()) }

func (c *card) close() error {
	err := checked("cuStreamDestroy", c.stream.Destroy())
	for i := range c.marks {
		err = errors.Join(err, checked("cuEventDestroy", cu.DestroyEvent(&c.marks[i])))
	}
	for _, p := range c.host {
		err = errors.Join(err, checked("cuMemFreeHost", cu.MemFreeHost(p)))
	}
	for _, m := range c.modules {
		err = errors.Join(err, unload(raw(m)))
	}
	return errors.Join(err, checked("cuDevicePrimaryCtxRelease", c.dev.ReleasePrimaryCtx()))
}
