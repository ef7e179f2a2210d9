// Command table writes README's table of cards from the records of bench/gpu-check.sh: between the lines
// <!-- cards --> and <!-- /cards -->. What no record holds is "not measured yet".
//
//	go run ./bench/table [-check] [README.md [RECORD...]]
//	go run ./bench/table -print RECORD...
//
// -check: write nothing, and fail if the table is another. -print: only print the table, of the emulated driver and of rehearsals,
// too. Records: default bench/results/*.jsonl.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("table: ")
	check := flag.Bool("check", false, "write nothing, and fail if the table is another")
	show := flag.Bool("print", false, "print the table of the records")
	flag.Parse()
	if *show {
		cards, err := readCards(flag.Args())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(markdown(cards))
		return
	}
	readme, records := "README.md", flag.Args()
	if len(records) > 0 {
		readme, records = records[0], records[1:]
	}
	if len(records) == 0 {
		var err error
		if records, err = filepath.Glob("bench/results/*.jsonl"); err != nil {
			log.Fatal(err)
		}
	}
	if err := run(readme, records, *check); err != nil {
		log.Fatal(err)
	}
}

func run(readme string, records []string, check bool) error {
	slices.Sort(records)
	cards, err := readCards(records)
	if err != nil {
		return err
	}
	for _, c := range cards {
		switch {
		case strings.Contains(c.name, "emulator"):
			return fmt.Errorf("record %s was made on the emulated driver, which is no card", c.file)
		case len(c.begins) != 1:
			return fmt.Errorf("record %s: its parts are of different programs, machines, cards or sizes: run all with one, on one", c.file)
		case c.small != "":
			return fmt.Errorf("record %s: %s, which is a rehearsal: run it whole", c.file, c.small)
		case strings.Contains(c.begins[0].Build, "+changes") || strings.Contains(c.begins[0].Build, "unknown"):
			return fmt.Errorf("record %s was made with what no commit holds: %s", c.file, c.begins[0].Build)
		}
	}
	was, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	is, err := splice(was, markdown(cards))
	if err != nil {
		return fmt.Errorf("%s: %w", readme, err)
	}
	switch {
	case bytes.Equal(was, is):
		return nil
	case check:
		return fmt.Errorf("%s: the table of cards is not that of %v: go run ./bench/table", readme, records)
	}
	return os.WriteFile(readme, is, 0o666)
}

func readCards(records []string) (cards []*card, err error) {
	for _, path := range records {
		c, err := readCard(path)
		if err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	return cards, nil
}

const begin, end = "<!-- cards -->\n", "<!-- /cards -->\n"

// splice puts the table between the lines that mark its place.
func splice(text []byte, table string) ([]byte, error) {
	head, rest, ok := bytes.Cut(text, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("it has no lines %q and %q", begin, end)
	}
	return slices.Concat(head, []byte(begin), []byte(table), []byte(end), tail), nil
}
