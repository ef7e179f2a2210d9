// Command table writes README's tables from records: that of cards, from those of bench/gpu-check.sh, between the lines <!-- cards -->
// and <!-- /cards -->; those of lockstep beside other libraries on a CPU, from those of `make peers`, between <!-- cpu-peers --> and
// <!-- /cpu-peers -->, and, of these, of gradients and products with curvature matrices, between <!-- curvature-peers --> and
// <!-- /curvature-peers -->. What no record holds is "not measured yet".
//
//	go run ./bench/table [-check] [README.md [RECORD...]]
//	go run ./bench/table -print RECORD...
//
// -check: write nothing, and fail if a table is another. -print: only print the tables, of the emulated driver and of rehearsals,
// too, and of runs of peers that ended early. Records: default bench/results/*.jsonl.
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

	"lockstep/bench/record"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("table: ")
	check := flag.Bool("check", false, "write nothing, and fail if the table is another")
	show := flag.Bool("print", false, "print the table of the records")
	flag.Parse()
	if *show {
		cards, peers, err := readAll(flag.Args())
		if err != nil {
			log.Fatal(err)
		}
		if len(cards) > 0 {
			fmt.Print(markdown(cards))
		}
		if len(peers) > 0 {
			fmt.Print(markdownPeers(peers), "\n", markdownCurvature(peers))
		}
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
	cards, peers, err := readAll(records)
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
		}
		if err := committed(c.file, c.begins[0]); err != nil {
			return err
		}
	}
	for _, r := range peers {
		if r.ended != "" {
			return fmt.Errorf("record %s: part %s was %s: run it whole", r.file, peersPart, r.ended)
		}
		if err := committed(r.file, r.begin); err != nil {
			return err
		}
	}
	was, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	is, err := splice(was, "cards", markdown(cards))
	if err == nil {
		is, err = splice(is, "cpu-peers", markdownPeers(peers))
	}
	if err == nil {
		is, err = splice(is, "curvature-peers", markdownCurvature(peers))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", readme, err)
	}
	switch {
	case bytes.Equal(was, is):
		return nil
	case check:
		return fmt.Errorf("%s: its tables are not those of %v: go run ./bench/table", readme, records)
	}
	return os.WriteFile(readme, is, 0o666)
}

// committed refuses a record of a program that no commit holds.
func committed(file string, b *record.Begin) error {
	if strings.Contains(b.Build, "+changes") || strings.Contains(b.Build, "unknown") {
		return fmt.Errorf("record %s was made with what no commit holds: %s", file, b.Build)
	}
	return nil
}

// readAll reads records: of cards, and of peers.
func readAll(records []string) (cards []*card, peers []*rivals, err error) {
	for _, path := range records {
		parts, err := record.Read(path)
		if err != nil {
			return nil, nil, err
		}
		if i := slices.IndexFunc(parts, func(p *record.Part) bool { return p.Name == peersPart }); i >= 0 {
			r, err := readRivals(path, parts[i])
			if err != nil {
				return nil, nil, err
			}
			peers = append(peers, r)
			continue
		}
		c, err := readCard(path, parts)
		if err != nil {
			return nil, nil, err
		}
		cards = append(cards, c)
	}
	return cards, peers, nil
}

// splice puts a table between the lines that mark its place.
func splice(text []byte, name, table string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- %s -->\n", name), fmt.Sprintf("<!-- /%s -->\n", name)
	head, rest, ok := bytes.Cut(text, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("it has no lines %q and %q", begin, end)
	}
	return slices.Concat(head, []byte(begin), []byte(table), []byte(end), tail), nil
}
