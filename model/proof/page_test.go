package proof_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

var update = flag.Bool("update", false, "rewrite the tables of PROOF.md")

const page = "PROOF.md"

var pageMu sync.Mutex // tests that run in parallel rewrite one page

// pageTables are the tables of PROOF.md, each checked by the test that knows
// what stands in it.
var pageTables = []string{"moves", "sizes", "terms", "invariant", "mutants", "safe"}

var tableMarks = regexp.MustCompile(`(?s)<!-- table:(\w+) -->\n(.*?)<!-- /table:\w+ -->`)

// golden holds one table of PROOF.md against rows, or writes them with -update.
// The first row is the head.
func golden(t *testing.T, name string, rows [][]string) {
	t.Helper()
	pageMu.Lock()
	defer pageMu.Unlock()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := markdown(rows)
	fresh := tableMarks.ReplaceAllStringFunc(string(text), func(block string) string {
		parts := tableMarks.FindStringSubmatch(block)
		if parts[1] != name {
			return block
		}
		if !*update && parts[2] != want {
			t.Errorf("table %s of %s is stale; rewrite it with: go test ./model/proof -update\ngot\n%swant\n%s", name, page, parts[2], want)
		}
		return fmt.Sprintf("<!-- table:%s -->\n%s<!-- /table:%s -->", name, want, name)
	})
	if *update {
		if err := os.WriteFile(page, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	return b.String()
}

func code(text string) string { return "`" + text + "`" }

// TestGolden_Page: the page has each table once, and no other.
func TestGolden_Page(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, parts := range tableMarks.FindAllStringSubmatch(string(text), -1) {
		got = append(got, parts[1])
	}
	if !slices.Equal(got, pageTables) {
		t.Errorf("%s has the tables %v, want %v", page, got, pageTables)
	}
}

func TestGolden_Terms(t *testing.T) {
	rows := [][]string{{"term", "in words", "formula"}}
	for _, d := range proof.Definitions {
		rows = append(rows, []string{code(d.Name), d.Says, code(d.Term.String())})
	}
	golden(t, "terms", rows)
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
	golden(t, "moves", rows)
}
