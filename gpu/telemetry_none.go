//go:build !cuda

package gpu

import (
	"errors"

	"lockstep/graph"
)

// ReadTelemetry asks NVML about the card of the given number. Error: this build has no CUDA engine.
func ReadTelemetry(index int) (Telemetry, error) { return Telemetry{}, errors.New(without) }

// Sense asks NVML about the engine's card. Error: this build has no CUDA engine.
func (e *Engine) Sense() (graph.Reading, error) { return graph.Reading{}, errors.New(without) }
