// Package page keeps what is generated in the project's pages fresh. It is for
// tests: a part of a page that stands between two marks,
//
//	<!-- table:sizes -->
//	…
//	<!-- /table:sizes -->
//
// is compared with what the test generates, and with -update written anew. The
// last mark may leave out the name.
package golden

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what is generated in pages, instead of comparing")

var mu sync.Mutex // tests that run in parallel may rewrite one page

// Parts holds every part of the kind in the page at path against what generate
// returns for its name. It reports a stale part as an error that says what
// stands there and what should; a page without any, or that cannot be read or
// written, ends the test. It returns the names of the parts, in their order.
func Parts(t testing.TB, path, kind string, generate func(name string) string) (names []string) {
	t.Helper()
	return compare(t, path, kind, `[\w-]+`, generate)
}

// Part holds the one part with the name against want, as Parts does.
func Part(t testing.TB, path, kind, name, want string) {
	t.Helper()
	compare(t, path, kind, regexp.QuoteMeta(name), func(string) string { return want })
}

func compare(t testing.TB, path, kind, name string, generate func(name string) string) (names []string) {
	t.Helper()
	if *update {
		mu.Lock()
		defer mu.Unlock()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)(<!-- ` + kind + `:(` + name + `) -->\n)(.*?)(<!-- /` + kind + `[ :].*?-->)`)
	fresh := part.ReplaceAllFunc(text, func(old []byte) []byte {
		match := part.FindSubmatch(old)
		name, got := string(match[2]), string(match[3])
		names = append(names, name)
		want := generate(name)
		if got != want && !*update {
			t.Errorf("%s: %s %s is stale; rewrite it by running this test with -update\ngot:\n%swant:\n%s", path, kind, name, got, want)
		}
		return slices.Concat(match[1], []byte(want), match[4])
	})
	if names == nil {
		t.Fatalf("%s has no marks for %s %s", path, kind, name)
	}
	if *update && !t.Failed() { // what a failed test has found is not fit for a page
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// File compares the whole file at path with want, and with -update writes it.
func File(t testing.TB, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale; rewrite it by running this test with -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// Table prints rows as a table in Markdown; the first row is its head.
func Table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	return b.String()
}
