package sweep

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// tolerance of derived results, relative to 1 or to the number itself where that is larger.
const tolerance = 1e-9

func near(a, b *float64) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return math.Abs(*a-*b) <= tolerance*max(1, math.Abs(*b))
}

func decimalOf(x *float64) string {
	if x == nil {
		return "null"
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
}

// compareJSON tells of every value in which two JSON objects differ.
func compareJSON(has, want string, differ func(path, has, want string)) {
	var a, b any
	if err := json.Unmarshal([]byte(has), &a); err != nil {
		differ("declared", fmt.Sprintf("%.60q", has), "JSON")
		return
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		panic(fmt.Sprintf("sweep: results that are no JSON: %v", err)) // json.Marshal wrote them
	}
	from, to := map[string]string{}, map[string]string{}
	flatten(a, "", from)
	flatten(b, "", to)
	same := true
	for _, path := range unionOf(from, to) {
		value := func(m map[string]string) string {
			if v, ok := m[path]; ok {
				return v
			}
			return "missing"
		}
		if x, y := value(from), value(to); x != y {
			differ(path, x, y)
			same = false
		}
	}
	if same && has != want {
		differ("declared", "the same values, written otherwise", "what the digest is made of")
	}
}

// flatten lists the values in v by their paths, float32 numbers with their decimal value beside.
func flatten(v any, path string, all map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			flatten(x, join(path, key), all)
		}
	case []any:
		for i, x := range v {
			flatten(x, fmt.Sprintf("%s[%d]", path, i), all)
		}
	case string:
		var x Hex
		all[path] = v
		if len(v) == 8 && x.UnmarshalText([]byte(v)) == nil {
			all[path] = fmt.Sprintf("%s (%g)", v, float32(x))
		}
	default:
		all[path] = strings.TrimSpace(fmt.Sprint(v))
	}
}
