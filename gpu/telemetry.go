package gpu

import (
	"fmt"
	"strings"
)

// Telemetry is what a card's management library (NVML) says of it now. What the card does not tell is zero, and stands in Untold.
type Telemetry struct {
	Driver       string   `json:"driver"`       // its version, such as 580.95.05
	SMClock      uint32   `json:"sm_clock_mhz"` // now
	MaxSMClock   uint32   `json:"max_sm_clock_mhz"`
	MemClock     uint32   `json:"memory_clock_mhz"`
	MaxMemClock  uint32   `json:"max_memory_clock_mhz"`
	Power        uint32   `json:"power_mw"` // averaged over a second on some cards
	PowerLimit   uint32   `json:"power_limit_mw"`
	Temperature  uint32   `json:"temperature_c"`
	MemoryTotal  uint64   `json:"memory_total"` // bytes
	MemoryUsed   uint64   `json:"memory_used"`  // by all processes, and reserved
	ECC          bool     `json:"ecc"`
	MIG          bool     `json:"mig"`      // the card is cut into instances
	PCIeGen      int      `json:"pcie_gen"` // of the link now, which may sleep
	MaxPCIeGen   int      `json:"max_pcie_gen"`
	PCIeWidth    int      `json:"pcie_width"` // lanes
	MaxPCIeWidth int      `json:"max_pcie_width"`
	Held         []string `json:"clocks_held_by"` // why the clocks are not higher
	Processes    int      `json:"processes"`      // that compute on it
	Untold       []string `json:"untold"`         // and why
}

func (t Telemetry) String() string {
	is := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	held := "nothing"
	if len(t.Held) > 0 {
		held = strings.Join(t.Held, ", ")
	}
	s := fmt.Sprintf("driver %s, SM clock %d of %d MHz, memory clock %d of %d MHz, held by %s, %.0f of %.0f W, %d C, %.1f of %.1f GB used, ECC %s, MIG %s, PCIe %d of %d x%d of x%d, processes: %d",
		t.Driver, t.SMClock, t.MaxSMClock, t.MemClock, t.MaxMemClock, held, float64(t.Power)/1e3, float64(t.PowerLimit)/1e3, t.Temperature,
		float64(t.MemoryUsed)/1e9, float64(t.MemoryTotal)/1e9, is(t.ECC), is(t.MIG), t.PCIeGen, t.MaxPCIeGen, t.PCIeWidth, t.MaxPCIeWidth, t.Processes)
	if len(t.Untold) > 0 {
		s += "; it does not tell " + strings.Join(t.Untold, ", ")
	}
	return s
}
