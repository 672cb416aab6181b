package proof_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

const proofPage = "PROOF.md"

// pageTables are the tables of PROOF.md. Each is checked by the test that makes
// it: theorems by one of package rocq.
var pageTables = []string{"claims", "moves", "sizes", "terms", "invariant", "weights", "stages", "rounds", "theorems", "mutants", "harmless"}

// goldenTable compares a table of PROOF.md with rows. The first row is the
// head.
func goldenTable(t *testing.T, name string, rows [][]string) {
	t.Helper()
	golden.Part(t, proofPage, "table", name, golden.Table(rows))
}

func code(text string) string { return "`" + text + "`" }

// TestGolden_Page: the page has each table once, and no other.
func TestGolden_Page(t *testing.T) {
	text, err := os.ReadFile(proofPage)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, mark := range regexp.MustCompile(`<!-- table:(\w+) -->`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, mark[1])
	}
	if !slices.Equal(got, pageTables) {
		t.Errorf("%s has the tables %v, want %v", proofPage, got, pageTables)
	}
}

func TestGolden_Terms(t *testing.T) {
	rows := [][]string{{"term", "in words", "formula"}}
	for _, d := range proof.Definitions {
		rows = append(rows, []string{code(d.Name), d.Doc, code(d.Term.String())})
	}
	goldenTable(t, "terms", rows)
}

func TestGolden_Moves(t *testing.T) {
	rows := [][]string{{"move", "from", "possible when", "writes", "to"}}
	for _, m := range proof.Protocol() {
		var when, writes []string
		switch m.Lock {
		case spec.Acquire:
			when, writes = append(when, "lock = 0"), append(writes, "lock := 1")
		case spec.Release:
			writes = append(writes, "lock := 0")
		}
		if cond := m.When.String(); cond != "true" {
			when = append(when, cond)
		}
		for _, w := range m.Set {
			writes = append(writes, w.Word.String()+" := "+w.Value.String())
		}
		to := m.To.String()
		if m.Return {
			to += ", having completed its call"
		}
		rows = append(rows, []string{code(m.Name), m.From.String(), strings.Join(when, ", "), strings.Join(writes, ", "), to})
	}
	goldenTable(t, "moves", rows)
}
