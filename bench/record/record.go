// Package record keeps what ran on a machine: one JSON object a line, appended as it happens, so that whatever cuts a run
// short leaves all that came before.
//
// A line names its part and has one of: begin (when, which command, build and machine), line (a JSON object that the command
// printed), text (a line of another form), end (how it ended), skip (why it did not run).
package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Line is one line of a record.
type Line struct {
	Part  string          `json:"part"`
	Begin *Begin          `json:"begin,omitempty"`
	Line  json.RawMessage `json:"line,omitempty"`
	Text  string          `json:"text,omitempty"`
	End   *End            `json:"end,omitempty"`
	Skip  string          `json:"skip,omitempty"`
}

// Begin is what is known of a part when it starts.
type Begin struct {
	At      time.Time `json:"at"`
	Command []string  `json:"command"`
	Build   string    `json:"build"`
	Machine string    `json:"machine"`
	Program string    `json:"program"`         // SHA-256 of the program that keeps the record
	On      string    `json:"on,omitempty"`    // the card
	Small   bool      `json:"small,omitempty"` // a rehearsal, on small problems
}

// Same tells whether two parts ran with one program, on one machine and card, on problems of full size or on small ones.
func (b *Begin) Same(o *Begin) bool {
	return b.Program == o.Program && b.Machine == o.Machine && b.On == o.On && b.Small == o.Small
}

// End is how a part ended.
type End struct {
	Status  Status   `json:"status"`
	Seconds float64  `json:"seconds"`
	Why     string   `json:"why,omitempty"`
	Errors  []string `json:"errors,omitempty"` // the last lines of standard error
}

// Status is how a part ended.
type Status string

const (
	OK     Status = "ok"
	Failed Status = "failed"
	Cut    Status = "cut" // by its time limit, or by whoever stopped the run
	// Lost is said of parts that began and have no end: the machine went away. It is never written.
	Lost Status = "lost"
	// Skipped is said of parts that did not run. It is never written: they have a skip.
	Skipped Status = "skipped"
)

// keptErrors is how many lines of standard error an End holds.
const keptErrors = 20

// Skip appends that a part does not run, and why.
func Skip(path, part, why string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.add(Line{Part: part, Skip: why}), f.Close())
}

// lineOf makes a line of what a command printed.
func lineOf(part, s string) Line {
	if b := []byte(s); strings.HasPrefix(s, "{") && json.Valid(b) {
		return Line{Part: part, Line: b}
	}
	return Line{Part: part, Text: s}
}

// file is a record that is written.
type file struct{ *os.File }

// open opens a record, or begins one. Error: a file that holds something else.
func open(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		return file{}, fmt.Errorf("record: %w", err)
	}
	if err := begun(f); err != nil {
		return file{}, errors.Join(fmt.Errorf("record %s: %w", path, err), f.Close())
	}
	return file{f}, nil
}

// opening is how every line of a record begins, one that is cut off, too.
const opening = `{"part":`

// begun makes a file ready to be appended to. Error: it holds something, and no record.
func begun(f *os.File) error {
	n, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return err
	}
	first := make([]byte, min(n, int64(len(opening))))
	if _, err := f.ReadAt(first, 0); err != nil {
		return err
	}
	if string(first) != opening {
		return errors.New("its first line is no line of a record: nothing is appended to such a file; want another name")
	}
	// A cut may have left half a line: what follows must not become part of it.
	var b [1]byte
	if _, err = f.ReadAt(b[:], n-1); err == nil && b[0] != '\n' {
		_, err = f.WriteString("\n")
	}
	return err
}

func (f file) add(l Line) error {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = f.Write(append(b, '\n'))
	}
	if err == nil && l.Line == nil && l.Text == "" {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", f.Name(), err)
	}
	return nil
}

// splitter cuts what is written into lines.
type splitter struct {
	rest []byte
	each func(string) error
}

func (s *splitter) Write(b []byte) (int, error) {
	s.rest = append(s.rest, b...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		if err := s.each(string(line)); err != nil {
			return 0, err
		}
		s.rest = rest
	}
}

func (s *splitter) flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	return s.each(string(s.rest))
}

// last keeps the end of what is written.
type last struct{ b []byte }

func (l *last) Write(b []byte) (int, error) {
	l.b = append(l.b, b...)
	l.b = l.b[max(0, len(l.b)-1<<16):]
	return len(b), nil
}

func (l *last) lines() []string {
	s := strings.Split(strings.TrimSpace(string(l.b)), "\n")
	return s[max(0, len(s)-keptErrors):]
}

// Part is what a record says of a part, the last time that it ran.
type Part struct {
	Name  string
	Begin *Begin // nil if it was skipped
	Lines []json.RawMessage
	Text  []string
	End   End
}

// Read reads a record: its parts in the order in which they first came. A line that is cut off at the end of the file, or
// before a later run, is left out. Errors: a file that is no record.
func Read(path string) ([]*Part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	var parts []*Part
	named := map[string]*Part{}
	bad := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<26)
	for n := 1; lines.Scan(); n++ {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Part == "" {
			if bad++; bad > 1 && len(parts) == 0 {
				return nil, fmt.Errorf("record %s, line %d: it is no line of a record", path, n)
			}
			continue
		}
		p := named[l.Part]
		if p == nil {
			p = &Part{Name: l.Part}
			named[l.Part] = p
			parts = append(parts, p)
		}
		switch {
		case l.Begin != nil:
			*p = Part{Name: l.Part, Begin: l.Begin, End: End{Status: Lost}}
		case l.Skip != "":
			*p = Part{Name: l.Part, End: End{Status: Skipped, Why: l.Skip}}
		case l.End != nil:
			p.End = *l.End
		case l.Line != nil:
			p.Lines = append(p.Lines, l.Line)
		default:
			p.Text = append(p.Text, l.Text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("record %s: %w", path, err)
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("record %s: it holds no part", path)
	}
	return parts, nil
}
