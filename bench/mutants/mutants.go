// Package mutants plants faults into the sources and looks whether the tests
// notice: a suite that lets one live does not hold what it says it holds.
//
// A mutant is a text file in planted/: why it is a fault, which tests have to
// find it, and what the source says instead. It is compiled through Go's
// overlay (`go help build`), so that neither the sources nor the binary know of
// it: there is no switch in the program that could be left on, and the hot path
// pays nothing. A mutant whose place is not in the sources any more is an
// error, and so is one that does not compile: neither proves anything.
package mutants

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed planted/*.txt
var planted embed.FS

// A Mutant is one planted fault.
type Mutant struct {
	Name  string   // the file's name without its end
	Why   string   // what goes wrong with it
	Tests []string // arguments of `go test`: packages and -run
	Edits []Edit
}

// An Edit replaces a piece of a source that must be there just once.
type Edit struct {
	File    string // from the top of the module, with slashes
	Was, Is string
}

// All are the planted faults, by name.
func All() ([]Mutant, error) {
	names, err := fs.Glob(planted, "planted/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Mutant
	for _, name := range names {
		text, err := planted.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := Parse(strings.TrimSuffix(path.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// Parse reads a mutant's file:
//
//	why: one line
//	tests: ./ledger -run TestX
//	file: ledger/shard.go
//	--- was
//	lines as they stand in the source
//	--- is
//	lines in their place
//
// file, was and is may come again for more than one place.
func Parse(name, text string) (Mutant, error) {
	m := Mutant{Name: name}
	var file string
	var part *string
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "--- was":
			m.Edits = append(m.Edits, Edit{File: file})
			part = &m.Edits[len(m.Edits)-1].Was
		case line == "--- is" && len(m.Edits) > 0:
			part = &m.Edits[len(m.Edits)-1].Is
		case key == "file" && !strings.HasPrefix(line, "\t"):
			file, part = value, nil
		case part != nil:
			*part += line + "\n"
		case key == "why":
			m.Why = value
		case key == "tests":
			m.Tests = strings.Fields(value)
		case line != "":
			return m, fmt.Errorf("mutant %s: what is %q?", name, line)
		}
	}
	if m.Why == "" || len(m.Tests) == 0 || len(m.Edits) == 0 || m.Edits[0].File == "" {
		return m, fmt.Errorf("mutant %s: it needs why, tests, file, was and is", name)
	}
	return m, lines.Err()
}

// ErrGone says that the sources have no such place, or more than one.
var ErrGone = errors.New("the place of the fault is not in the source just once: plant it anew")

// Sources are the sources with the fault in them, by their path from the top
// of the module in root.
func (m *Mutant) Sources(root string) (map[string]string, error) {
	out := map[string]string{}
	for _, e := range m.Edits {
		text, ok := out[e.File]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
			text = string(raw)
		}
		if e.Was == "" || strings.Count(text, e.Was) != 1 {
			return nil, fmt.Errorf("mutant %s: %s: %w", m.Name, e.File, ErrGone)
		}
		out[e.File] = strings.Replace(text, e.Was, e.Is, 1)
	}
	return out, nil
}
