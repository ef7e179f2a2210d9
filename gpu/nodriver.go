//go:build !cuda

package gpu

import "errors"

// Built tells whether this build has the CUDA engine.
const Built = false

const without = "this build has no CUDA engine: build it by make cuda"

// Count is the number of cards that the kernels can run on: none, and why.
func Count() (n int, reason string) { return 0, without }

// Devices lists the cards; none where there is no driver, and then why.
func Devices() (all []Info, reason string, err error) { return nil, without, nil }

// Open makes an engine on the card of the given number. Error: this build has no CUDA engine.
func Open(index int) (*Engine, error) { return nil, errors.New(without) }
