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
)

var update = flag.Bool("update", false, "rewrite the tables of PROOF.md")

const page = "PROOF.md"

var pageMu sync.Mutex // tests that run in parallel rewrite one page

// pageTables are the tables of PROOF.md, each checked by the test that knows
// what stands in it.
var pageTables = []string{"sizes", "terms", "invariant", "mutants", "safe"}

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
