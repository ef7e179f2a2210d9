package sweep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"lockstep/data"
	"lockstep/op"
)

// Canonical is the cell's full description as canonical JSON (RFC 8785): everything that its result follows from, and
// nothing else, so neither arm nor engine. Constants of the rule are the bits of their float32 values, in eight lower-case
// hex digits; whole numbers above 2^53, which a JSON number cannot hold, are strings.
func (c Cell) Canonical() []byte {
	type object = map[string]any
	rule := object{"type": c.Rule.Type}
	schedule := object{"type": c.Rule.Schedule.Type}
	for _, k := range c.Rule.Constants() {
		if k.Name == "gamma" {
			schedule[k.Name] = Hex(k.Value)
		} else {
			rule[k.Name] = Hex(k.Value)
		}
	}
	if c.Rule.Schedule.Type == "step" {
		schedule["every"] = c.Rule.Schedule.Every
	}
	rule["schedule"] = schedule
	if p := c.Rule.Project; p.Onto != "" {
		rule["project"] = object{"onto": p.Onto, "k": p.K}
	}
	layers := []object{}
	for _, l := range c.Model.Layers {
		fields := object{"type": l.Type()}
		maps.Copy(fields, l.Fields())
		layers = append(layers, fields)
	}
	split := object{"seed": data.SplitSeed, "stream": "split", "test": c.set.Test()}
	if c.set.Given > 0 { // test rows are the last ones
		split = object{"last": c.set.Given}
	}
	return canonical(object{
		"law":   op.Version,
		"data":  object{"name": c.Data, "sha256": hex.EncodeToString(c.set.Hash[:])},
		"split": split,
		"model": object{"init": string(c.Model.Init), "layers": layers},
		"loss":  c.set.Loss(),
		"map":   object{"type": c.Map.Type, "d": c.Map.D},
		"rule":  rule,
		"seed":  whole(c.Seed),
		"steps": c.Steps,
		"batch": c.Batch,
	})
}

// ID is the cell's identity: SHA-256 of Canonical, in hex.
func (c Cell) ID() string {
	h := sha256.Sum256(c.Canonical())
	return hex.EncodeToString(h[:])
}

// whole is a JSON number where that is exact in IEEE binary64, else a string (RFC 8785, appendix D).
func whole(n uint64) any {
	if n > 1<<53 {
		return strconv.FormatUint(n, 10)
	}
	return n
}

// canonical writes v by RFC 8785. Of what that asks, encoding/json leaves out only the shortest form of fractions and the
// order of keys beyond ASCII, and descriptions have neither: their numbers are whole, their keys and texts ASCII names.
func canonical(v map[string]any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("sweep: a description that is no JSON: %v", err)) // maps, lists, texts and whole numbers always are
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
