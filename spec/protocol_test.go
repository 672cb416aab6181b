package spec_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// tables prints each table of PROTOCOL.md from the tables of the package.
var tables = map[string]func() string{
	"words": func() string {
		rows := [][]string{{"word", "offset", "type", "initial", "meaning"}}
		for _, w := range AllWords {
			rows = append(rows, []string{code(w), fmt.Sprint(w.Offset()), "int32", minus(w.Initial()), w.Doc()})
		}
		return golden.Table(rows)
	},
	"call":         func() string { return stepTable(CallSteps) },
	"withdrawal":   func() string { return stepTable(WithdrawalSteps) },
	"construction": func() string { return stepTable(ConstructionSteps) },
	"properties": func() string {
		rows := [][]string{{"name", "kind", "says"}}
		for _, p := range AllProperties {
			rows = append(rows, []string{code(p), string(p.Kind()), p.Doc()})
		}
		return golden.Table(rows)
	},
	"scenarios": func() string {
		rows := [][]string{{"scenario", "what happens"}}
		for _, p := range AllProperties {
			rows[0] = append(rows[0], code(p))
		}
		for _, s := range AllScenarios {
			row := []string{code(s), s.Doc()}
			for _, p := range AllProperties {
				row = append(row, strings.Replace(string(s.Expect(p)), string(Undecided), "?", 1))
			}
			rows = append(rows, row)
		}
		return golden.Table(rows)
	},
	"events": func() string {
		rows := [][]string{{"event", "what happens"}}
		for _, e := range AllEvents {
			rows = append(rows, []string{code(e), e.Doc()})
		}
		return golden.Table(rows)
	},
}

func stepTable(steps []Step) string {
	rows := [][]string{{"label", "lock", "reads", "writes", "effect", "next"}}
	for _, s := range steps {
		rows = append(rows, []string{code(s), s.Lock().String(), list(s.Reads()), list(s.Writes()), s.Doc(), branches(s)})
	}
	return golden.Table(rows)
}

func branches(s Step) string {
	var parts []string
	for _, b := range s.Next() {
		switch {
		case b.If != "":
			parts = append(parts, b.If+": "+code(b.To))
		case b.To == s:
			parts = append(parts, "else stay")
		case len(s.Next()) > 1:
			parts = append(parts, "else "+code(b.To))
		default:
			parts = append(parts, code(b.To))
		}
	}
	return strings.Join(parts, ", ")
}

func list(words []Word) string {
	var names []string
	for _, w := range words {
		names = append(names, w.String())
	}
	return strings.Join(names, ", ")
}

func code(v fmt.Stringer) string { return "`" + v.String() + "`" }

func minus(v int32) string { return strings.Replace(fmt.Sprint(v), "-", "−", 1) }

// TestGolden_Protocol holds the tables of PROTOCOL.md against the Go tables.
func TestGolden_Protocol(t *testing.T) {
	names := golden.Parts(t, "PROTOCOL.md", "table", func(name string) string {
		table, known := tables[name]
		if !known {
			t.Fatalf("PROTOCOL.md: table %q is not one of the package", name)
		}
		return table()
	})
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(tables)); !slices.Equal(names, want) {
		t.Errorf("PROTOCOL.md has the tables %v, want %v", names, want)
	}
}

var exitCodes = regexp.MustCompile(`(?m)^\| (\d+) \|`)

// TestProtocol_ExitCodes holds the exit codes of section 13 against the Go
// constants.
func TestProtocol_ExitCodes(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range exitCodes.FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	want := fmt.Sprint([]int{ExitOK, ExitUsage, ExitHang, ExitSafety, ExitLiveness, ExitUnfinished, ExitInterrupted})
	if fmt.Sprint(got) != want {
		t.Errorf("section 13 lists exit codes %v, want %v", got, want)
	}
}
