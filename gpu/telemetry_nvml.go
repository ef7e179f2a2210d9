//go:build cuda

package gpu

import (
	"errors"
	"fmt"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"lockstep/cuda/loader"
	"lockstep/graph"
)

// A call of NVML ends the process where its library is absent or lacks the function: nothing here calls one before openNVML has
// succeeded, and tells has found it.

// openNVML opens libnvidia-ml.so.1, once.
var openNVML = sync.OnceValue(func() error {
	switch r := nvml.Init(); r {
	case nvml.SUCCESS:
		return nil
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return errors.New("NVML: not found: libnvidia-ml.so.1, which comes with the driver, is not among the system's libraries")
	default:
		return fmt.Errorf("NVML: %w", r)
	}
})

// tells is nil if the library has a function.
func tells(function string) error {
	if nvml.Extensions().LookupSymbol(function) != nil {
		return fmt.Errorf("this driver has no %s", function)
	}
	return nil
}

// ReadTelemetry asks NVML about the card of the given number. Errors: no NVML, no such card.
func ReadTelemetry(index int) (Telemetry, error) {
	if err := openNVML(); err != nil {
		return Telemetry{}, err
	}
	if _, reason := loader.Driver(); reason != "" {
		return Telemetry{}, fmt.Errorf("no CUDA device: %s", reason)
	}
	// NVML numbers cards by their place on the bus, CUDA as it likes: they agree on the place.
	place, err := placeOf(index)
	if err != nil {
		return Telemetry{}, err
	}
	return telemetryAt(place)
}

// deviceAt finds the card at a place of the PCI bus.
func deviceAt(place string) (nvml.Device, error) {
	if err := openNVML(); err != nil {
		return nil, err
	}
	if err := tells("nvmlDeviceGetHandleByPciBusId_v2"); err != nil {
		return nil, fmt.Errorf("NVML: %w", err)
	}
	d, r := nvml.DeviceGetHandleByPciBusId(place)
	if r != nvml.SUCCESS {
		return nil, fmt.Errorf("NVML: the card at %s: %w", place, r)
	}
	return d, nil
}

// telemetryAt asks NVML about the card at a place of the PCI bus.
func telemetryAt(place string) (t Telemetry, err error) {
	d, err := deviceAt(place)
	if err != nil {
		return t, err
	}
	t.Untold = []string{}
	var memory nvml.Memory
	var ecc nvml.EnableState
	var mig int
	var held uint64
	var processes []nvml.ProcessInfo
	for _, x := range []struct {
		what, function string
		read           func() nvml.Return
	}{
		{"its driver", "nvmlSystemGetDriverVersion", func() (r nvml.Return) { t.Driver, r = nvml.SystemGetDriverVersion(); return }},
		{"its SM clock", "nvmlDeviceGetClockInfo", func() (r nvml.Return) { t.SMClock, r = d.GetClockInfo(nvml.CLOCK_SM); return }},
		{"its highest SM clock", "nvmlDeviceGetMaxClockInfo", func() (r nvml.Return) { t.MaxSMClock, r = d.GetMaxClockInfo(nvml.CLOCK_SM); return }},
		{"its memory clock", "nvmlDeviceGetClockInfo", func() (r nvml.Return) { t.MemClock, r = d.GetClockInfo(nvml.CLOCK_MEM); return }},
		{"its highest memory clock", "nvmlDeviceGetMaxClockInfo", func() (r nvml.Return) { t.MaxMemClock, r = d.GetMaxClockInfo(nvml.CLOCK_MEM); return }},
		{"its power", "nvmlDeviceGetPowerUsage", func() (r nvml.Return) { t.Power, r = d.GetPowerUsage(); return }},
		{"its power limit", "nvmlDeviceGetEnforcedPowerLimit", func() (r nvml.Return) { t.PowerLimit, r = d.GetEnforcedPowerLimit(); return }},
		{"its temperature", "nvmlDeviceGetTemperature", func() (r nvml.Return) { t.Temperature, r = d.GetTemperature(nvml.TEMPERATURE_GPU); return }},
		{"its memory", "nvmlDeviceGetMemoryInfo", func() (r nvml.Return) { memory, r = d.GetMemoryInfo(); return }},
		{"whether it has ECC", "nvmlDeviceGetEccMode", func() (r nvml.Return) { ecc, _, r = d.GetEccMode(); return }},
		{"whether it has MIG", "nvmlDeviceGetMigMode", func() (r nvml.Return) { mig, _, r = d.GetMigMode(); return }},
		{"its PCIe generation", "nvmlDeviceGetCurrPcieLinkGeneration", func() (r nvml.Return) { t.PCIeGen, r = d.GetCurrPcieLinkGeneration(); return }},
		{"its highest PCIe generation", "nvmlDeviceGetMaxPcieLinkGeneration", func() (r nvml.Return) { t.MaxPCIeGen, r = d.GetMaxPcieLinkGeneration(); return }},
		{"its PCIe lanes", "nvmlDeviceGetCurrPcieLinkWidth", func() (r nvml.Return) { t.PCIeWidth, r = d.GetCurrPcieLinkWidth(); return }},
		{"its most PCIe lanes", "nvmlDeviceGetMaxPcieLinkWidth", func() (r nvml.Return) { t.MaxPCIeWidth, r = d.GetMaxPcieLinkWidth(); return }},
		{"what holds its clocks", "nvmlDeviceGetCurrentClocksEventReasons", func() (r nvml.Return) { held, r = d.GetCurrentClocksEventReasons(); return }},
		{"who computes on it", "nvmlDeviceGetComputeRunningProcesses_v3", func() (r nvml.Return) { processes, r = d.GetComputeRunningProcesses(); return }},
	} {
		err := tells(x.function)
		if err == nil {
			if r := x.read(); r != nvml.SUCCESS {
				err = r
			}
		}
		if err != nil {
			t.Untold = append(t.Untold, fmt.Sprintf("%s (%v)", x.what, err))
		}
	}
	t.MemoryTotal, t.MemoryUsed = memory.Total, memory.Used
	t.ECC, t.MIG, t.Processes, t.Held = ecc == nvml.FEATURE_ENABLED, mig == nvml.DEVICE_MIG_ENABLE, len(processes), heldBy(held)
	return t, nil
}

// Sense asks NVML about the engine's card.
func (e *Engine) Sense() (graph.Reading, error) {
	place, err := placeOf(e.info.Index)
	if err != nil {
		return graph.Reading{}, err
	}
	r, err := senseAt(place)
	r.Device = fmt.Sprintf("cuda:%d, %s", e.info.Index, e.info.Name)
	return r, err
}

// senseAt asks NVML about the card at a place of the PCI bus, as telemetryAt does, but only for what changes while it works.
func senseAt(place string) (reading graph.Reading, err error) {
	d, err := deviceAt(place)
	if err != nil {
		return reading, err
	}
	var energy, held uint64
	var power, clock, temperature uint32
	told := 0
	for _, x := range []struct {
		function string
		read     func() nvml.Return
	}{
		{"nvmlDeviceGetTotalEnergyConsumption", func() (r nvml.Return) { energy, r = d.GetTotalEnergyConsumption(); return }},
		{"nvmlDeviceGetPowerUsage", func() (r nvml.Return) { power, r = d.GetPowerUsage(); return }},
		{"nvmlDeviceGetClockInfo", func() (r nvml.Return) { clock, r = d.GetClockInfo(nvml.CLOCK_SM); return }},
		{"nvmlDeviceGetTemperature", func() (r nvml.Return) { temperature, r = d.GetTemperature(nvml.TEMPERATURE_GPU); return }},
		{"nvmlDeviceGetCurrentClocksEventReasons", func() (r nvml.Return) { held, r = d.GetCurrentClocksEventReasons(); return }},
	} {
		if tells(x.function) == nil && x.read() == nvml.SUCCESS {
			told++
		}
	}
	if told == 0 {
		return reading, fmt.Errorf("NVML: the card at %s tells nothing", place)
	}
	return graph.Reading{Joules: float64(energy) / 1e3, Watts: float64(power) / 1e3, Clock: float64(clock), Temperature: float64(temperature), Held: heldBy(held)}, nil
}

// heldBy names the reasons of a set of bits.
func heldBy(bits uint64) []string {
	names := []string{}
	for _, x := range holds {
		if bits&x.bit != 0 {
			names = append(names, x.name)
		}
	}
	return names
}

// holds are the reasons for which clocks are not at their highest.
var holds = []struct {
	bit  uint64
	name string
}{
	{nvml.ClocksEventReasonGpuIdle, "idleness"},
	{nvml.ClocksEventReasonApplicationsClocksSetting, "a setting"},
	{nvml.ClocksEventReasonSwPowerCap, "the power limit"},
	{nvml.ClocksThrottleReasonHwSlowdown, "the hardware"},
	{nvml.ClocksEventReasonSyncBoost, "another card of its group"},
	{nvml.ClocksEventReasonSwThermalSlowdown, "heat (the driver)"},
	{nvml.ClocksThrottleReasonHwThermalSlowdown, "heat (the hardware)"},
	{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "the power supply"},
	{nvml.ClocksEventReasonDisplayClockSetting, "a display"},
	{nvml.ClocksEventReasonBoardLimit, "the board's limit"},
	{nvml.ClocksEventReasonReliability, "reliability"},
}
