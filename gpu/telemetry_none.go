//go:build !cuda

package gpu

import "errors"

// ReadTelemetry asks NVML about the card of the given number. Error: this build has no CUDA engine.
func ReadTelemetry(index int) (Telemetry, error) { return Telemetry{}, errors.New(without) }
