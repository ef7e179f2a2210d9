package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/data"
	"lockstep/internal/nearest"
	"lockstep/model"
)

// reader takes typed values from a table of a card, and then tells of the keys that nobody asked for: the keys that are
// right are those that the code reads, so there is no second list of them. The first error stays; after it, reading goes
// on with zero values.
//
// A sketch reads no values: it only finds unknown keys and names in a table that is not complete yet, because an arm or an
// axis adds to it.
type reader struct {
	*place
	n    *node
	path string
	keys *[]string // that were asked for
}

// place is what the readers of one card share.
type place struct {
	file   string
	data   data.Source
	vars   map[string]*node // values of the axes
	used   map[string]bool  // axes whose value was asked for
	note   string           // which cell this is, for errors about values
	sketch bool
	err    error
}

func (p *place) reader(n *node, path string) *reader { return &reader{p, n, path, new([]string)} }

// fail records an error about the value at key, or about the table itself when key is empty.
func (r *reader) fail(key string, err error) {
	if r.err != nil {
		return
	}
	line := 0
	if r.n != nil {
		line = r.n.line
	}
	if v := r.n.get(key); v != nil {
		line = v.line
	}
	if r.note != "" {
		err = fmt.Errorf("%w (%s)", err, r.note)
	}
	r.err = &CardError{r.file, line, join(r.path, key), err}
}

// join makes a dotted path.
func join(path, key string) string {
	return strings.Trim(path+"."+key, ".")
}

// ask notes that key is one that the table may have.
func (r *reader) ask(key string) {
	if !slices.Contains(*r.keys, key) {
		*r.keys = append(*r.keys, key)
	}
}

// lookup is the value of key with axes put in; nil when it is absent, or a sketch cannot know it.
func (r *reader) lookup(key string, want kind) *node {
	r.ask(key)
	v := r.n.get(key)
	if v == nil {
		return nil
	}
	if v.kind == text && strings.HasPrefix(v.text, "$") {
		if r.sketch {
			return nil
		}
		name := v.text[1:]
		axis, ok := r.vars[name]
		if !ok {
			r.fail(key, nearest.Unknown("axis", name, sortedKeys(r.vars)))
			return nil
		}
		r.used[name] = true
		v = axis
	}
	if v.kind != want {
		r.fail(key, fmt.Errorf("%s; it must be %s", describe(v), want))
		return nil
	}
	return v
}

// describe shows a value of the wrong kind.
func describe(v *node) string {
	switch v.kind {
	case text:
		return fmt.Sprintf("it is %q", v.text)
	case number, boolean:
		return "it is " + v.text
	}
	return "it is " + v.kind.String()
}

func (r *reader) need(key string, want kind) *node {
	v := r.lookup(key, want)
	if v == nil && r.n.get(key) == nil && !r.sketch {
		r.fail("", fmt.Errorf("%s is missing; it is %s", key, want))
	}
	return v
}

// text is the text at key, or otherwise when the key is absent.
func (r *reader) text(key, otherwise string) string {
	if v := r.lookup(key, text); v != nil {
		return v.text
	}
	return otherwise
}

// flag is the boolean at key, or otherwise when the key is absent.
func (r *reader) flag(key string, otherwise bool) bool {
	if v := r.lookup(key, boolean); v != nil {
		return v.text == "true"
	}
	return otherwise
}

// decimal is the number at key, or otherwise when the key is absent; it must be there when otherwise is empty.
func (r *reader) decimal(key, otherwise string) model.Decimal {
	v := r.lookup(key, number)
	if v == nil {
		if otherwise == "" {
			r.need(key, number)
			otherwise = "0"
		}
		return model.Dec(otherwise)
	}
	d, err := decimal(v)
	if err != nil {
		r.fail(key, err)
	}
	return d
}

// decimal reads a number literal of TOML, which may be hexadecimal, octal or binary.
func decimal(v *node) (model.Decimal, error) {
	t := strings.TrimLeft(v.text, "+-")
	if t == "inf" || t == "nan" {
		return model.Decimal{}, fmt.Errorf("it is %s; it must be finite", v.text)
	}
	if len(t) > 1 && t[0] == '0' && strings.ContainsRune("xob", rune(t[1])) {
		return model.Decimal{}, fmt.Errorf("it is %s; write it as a decimal number", v.text)
	}
	return model.ParseDecimal(v.text)
}

// count is the whole number at key, 1 to model.MaxSize: sizes, steps, rows.
func (r *reader) count(key string) int {
	v := r.need(key, number)
	if v == nil {
		return 0
	}
	d, err := decimal(v)
	if err != nil {
		r.fail(key, err)
		return 0
	}
	n, ok := d.Int(1, model.MaxSize)
	if !ok {
		r.fail(key, fmt.Errorf("it is %s; it must be a whole number, 1 to %d", v.text, model.MaxSize))
	}
	return int(n)
}

// table reads the table at key; an absent table is an empty one.
func (r *reader) table(key string) *reader {
	v := r.lookup(key, table)
	if v == nil {
		v = &node{kind: table, line: r.n.line}
	}
	return r.reader(v, join(r.path, key))
}

// tables reads the list of tables at key.
func (r *reader) tables(key string) (rs []*reader) {
	v := r.lookup(key, list)
	if v == nil {
		return nil
	}
	for i, item := range v.list {
		if item.kind != table {
			r.fail(key, fmt.Errorf("entry %d: %s; it must be a table", i, describe(item)))
			return nil
		}
		rs = append(rs, r.reader(item, fmt.Sprintf("%s[%d]", join(r.path, key), i)))
	}
	return rs
}

// texts is the list of texts at key.
func (r *reader) texts(key string) (all []string) {
	v := r.lookup(key, list)
	if v == nil {
		return nil
	}
	for i, item := range v.list {
		if item.kind != text {
			r.fail(key, fmt.Errorf("entry %d: %s; it must be text", i, describe(item)))
			return nil
		}
		all = append(all, item.text)
	}
	return all
}

// done tells of the first key that was never asked for.
func (r *reader) done() {
	for _, e := range r.n.keys {
		if !slices.Contains(*r.keys, e.key) {
			r.fail(e.key, nearest.Unknown("key", e.key, *r.keys))
			return
		}
	}
}

// choice is an entry of a table of named types: a name and what reads the keys of that type.
type choice[T any] struct {
	name string
	read func(r *reader) T
}

// choose reads the table r by its type. A sketch that does not know the type accepts the keys of all.
func choose[T any](r *reader, what, otherwise string, choices []choice[T]) (t T) {
	name := r.text("type", otherwise)
	if r.sketch && (r.n.get("type") == nil || strings.HasPrefix(r.n.get("type").text, "$")) {
		for _, c := range choices {
			c.read(r)
		}
		r.done()
		return t
	}
	var names []string
	for _, c := range choices {
		if c.name == name {
			t = c.read(r)
			r.done()
			return t
		}
		names = append(names, c.name)
	}
	if name == "" {
		r.fail("", errors.New("type is missing; it is one of "+strings.Join(names, ", ")))
		return t
	}
	r.fail("type", nearest.Unknown(what, name, names))
	return t
}
