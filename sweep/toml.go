package sweep

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A card is read into a tree that keeps what a decoder into Go values would lose: the decimal text of numbers, which is
// rounded once, and the line of every value, which errors name.
type node struct {
	kind kind
	line int     // 1 is the first; 0 for what --set gave
	text string  // of a number (literal), text (content) or boolean
	list []*node // of a list
	keys []entry // of a table, in the order of the card
}

type entry struct {
	key string
	val *node
}

type kind uint8

const (
	number kind = iota
	text
	boolean
	list
	table
)

func (k kind) String() string {
	return [...]string{"a number", "text", "true or false", "a list", "a table"}[k]
}

// get is the value of a table's key, nil when there is none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.keys {
		if e.key == key {
			return e.val
		}
	}
	return nil
}

// set gives a table's key a value, in the key's old place or at the end.
func (n *node) set(key string, val *node) {
	for i, e := range n.keys {
		if e.key == key {
			n.keys[i].val = val
			return
		}
	}
	n.keys = append(n.keys, entry{key, val})
}

// clone is a deep copy.
func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	c := *n
	c.list, c.keys = nil, nil
	for _, v := range n.list {
		c.list = append(c.list, v.clone())
	}
	for _, e := range n.keys {
		c.keys = append(c.keys, entry{e.key, e.val.clone()})
	}
	return &c
}

// CardError says what is wrong with a card, and where.
type CardError struct {
	File string
	Line int    // 0 when it is not known, or the value came from --set
	Path string // dotted key; "" for the whole card
	Err  error
}

func (e *CardError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Path != "" {
		b.WriteString(": " + e.Path)
	}
	return b.String() + ": " + e.Err.Error()
}

func (e *CardError) Unwrap() error { return e.Err }

// parseTOML reads a document. The decoder checks what the grammar alone does not: duplicate keys, ranges of integers.
func parseTOML(file string, b []byte) (*node, error) {
	var meaning map[string]any
	if err := toml.Unmarshal(b, &meaning); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ := at.Position()
			return nil, &CardError{file, line, strings.Join(at.Key(), "."), err}
		}
		return nil, &CardError{File: file, Err: err}
	}
	t := treeBuilder{root: &node{kind: table, line: 1}}
	t.parser.Reset(b)
	for at := t.root; t.parser.NextExpression(); {
		e := t.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			at = t.descend(t.root, e.Key())
		case unstable.ArrayTable:
			at = t.appendTo(t.root, e.Key())
		case unstable.KeyValue:
			t.keyValue(at, e)
		}
	}
	if err := t.parser.Error(); err != nil {
		return nil, &CardError{File: file, Err: err}
	}
	if t.err != nil {
		t.err.File = file
		return nil, t.err
	}
	return t.root, nil
}

// treeBuilder turns the parser's expressions into nodes. The decoder has accepted the document, so that every path can be
// followed.
type treeBuilder struct {
	parser unstable.Parser
	root   *node
	err    *CardError // the first value of a kind that cards lack
}

func (t *treeBuilder) line(n *unstable.Node) int {
	return t.parser.Shape(n.Raw).Start.Line
}

// child is the table under key, made when it is missing; under a list of tables it is the last of them.
func child(at *node, key string, line int) *node {
	next := at.get(key)
	if next == nil {
		next = &node{kind: table, line: line}
		at.set(key, next)
	}
	if next.kind == list {
		next = next.list[len(next.list)-1]
	}
	return next
}

func (t *treeBuilder) descend(at *node, path unstable.Iterator) *node {
	for path.Next() {
		at = child(at, string(path.Node().Data), t.line(path.Node()))
	}
	return at
}

func (t *treeBuilder) appendTo(at *node, path unstable.Iterator) *node {
	for path.Next() {
		key, line := string(path.Node().Data), t.line(path.Node())
		if !path.IsLast() {
			at = child(at, key, line)
			continue
		}
		all := at.get(key)
		if all == nil {
			all = &node{kind: list, line: line}
			at.set(key, all)
		}
		at = &node{kind: table, line: line}
		all.list = append(all.list, at)
	}
	return at
}

func (t *treeBuilder) keyValue(at *node, e *unstable.Node) {
	path := e.Key()
	for path.Next() {
		key, line := string(path.Node().Data), t.line(path.Node())
		if path.IsLast() {
			at.set(key, t.value(e.Value(), line))
		} else {
			at = child(at, key, line)
		}
	}
}

// value converts a value that stands behind a key on the given line.
func (t *treeBuilder) value(v *unstable.Node, line int) *node {
	if v.Raw.Length > 0 {
		line = t.line(v)
	}
	n := &node{line: line, text: string(v.Data)}
	switch v.Kind {
	case unstable.Integer, unstable.Float:
		n.kind, n.text = number, strings.ReplaceAll(n.text, "_", "")
	case unstable.String:
		n.kind = text
	case unstable.Bool:
		n.kind = boolean
	case unstable.Array:
		n.kind, n.text = list, ""
		for items := v.Children(); items.Next(); {
			if items.Node().Kind != unstable.Comment {
				n.list = append(n.list, t.value(items.Node(), line))
			}
		}
	case unstable.InlineTable:
		n.kind, n.text = table, ""
		for items := v.Children(); items.Next(); {
			if items.Node().Kind == unstable.KeyValue {
				t.keyValue(n, items.Node())
			}
		}
	default:
		if t.err == nil {
			t.err = &CardError{Line: line, Err: fmt.Errorf("%s is a date or a time; cards have none", v.Data)}
		}
	}
	return n
}
