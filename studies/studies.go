// Package studies holds the studies that come with lockstep: cards that declare a sweep and the outcome that is expected,
// and the judgement that holds what was measured against it.
package studies

import (
	"embed"
	"fmt"
	"strings"

	"lockstep/internal/nearest"
	"lockstep/sweep"
)

//go:embed *.toml
var cards embed.FS

// List loads all studies, by name.
func List() ([]*sweep.Card, error) {
	files, err := cards.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all []*sweep.Card
	for _, f := range files {
		c, err := Named(strings.TrimSuffix(f.Name(), ".toml"))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Named is the study of that name. Error: no such study, with the nearest name.
func Named(name string) (*sweep.Card, error) {
	b, err := cards.ReadFile(name + ".toml")
	if err != nil {
		var names []string
		files, _ := cards.ReadDir(".")
		for _, f := range files {
			names = append(names, strings.TrimSuffix(f.Name(), ".toml"))
		}
		return nil, nearest.Unknown("study", name, names)
	}
	return sweep.ParseCard(fmt.Sprintf("studies/%s.toml", name), b)
}
