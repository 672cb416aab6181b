// Package golden compares generated text with the file that holds it, and with
// the test flag -update rewrites it. The text is a whole file, or a part of a
// page between two marks:
//
//	<!-- table:sizes -->
//	…
//	<!-- /table:sizes -->
//
// Here table is the kind of the part and sizes its name. The closing mark may
// leave out the name.
//
// It also compiles the JSON schemas that tests compare printed JSON with.
package golden

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite generated files and parts of pages, instead of comparing them")

// Updating reports whether the test is to rewrite what it generates.
func Updating() bool { return *update }

// mu guards the files of an update: parallel tests may own parts of one page.
var mu sync.Mutex

// File compares the file at path with want.
func File(t testing.TB, path, want string) {
	t.Helper()
	if *update {
		write(t, path, want)
		return
	}
	compare(t, path, read(t, path), want)
}

// Part compares the part with the kind and the name with want. The test fails
// at once if the page has no such part.
func Part(t testing.TB, path, kind, name, want string) {
	t.Helper()
	parts(t, path, kind, regexp.QuoteMeta(name), func(string) string { return want })
}

// Parts compares every part of the kind with what generate returns for its
// name, and returns the names in the order of the page. The test fails at once
// if the page has no part of the kind.
func Parts(t testing.TB, path, kind string, generate func(name string) string) (names []string) {
	t.Helper()
	return parts(t, path, kind, `[\w-]+`, generate)
}

func parts(t testing.TB, path, kind, name string, generate func(name string) string) (names []string) {
	t.Helper()
	if *update {
		mu.Lock()
		defer mu.Unlock()
	}
	part := regexp.MustCompile(`(?s)(<!-- ` + kind + `:(` + name + `) -->\n)(.*?)(<!-- /` + kind + `[ :].*?-->)`)
	fresh := part.ReplaceAllStringFunc(read(t, path), func(old string) string {
		match := part.FindStringSubmatch(old)
		names = append(names, match[2])
		want := generate(match[2])
		if !*update {
			compare(t, path+": "+kind+" "+match[2], match[3], want)
		}
		return match[1] + want + match[4]
	})
	if names == nil {
		t.Fatalf("%s has no marks for %s %s", path, kind, name)
	}
	if *update && !t.Failed() { // a failed test generates nothing to keep
		write(t, path, fresh)
	}
	return names
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compare reports the first line in which the texts differ.
func compare(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	if !utf8.ValidString(got + want) {
		t.Errorf("%s is stale; run this test with -update to rewrite it", what)
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g)-1 && i < len(w)-1 && g[i] == w[i] {
		i++
	}
	t.Errorf("%s is stale from its line %d on; run this test with -update to rewrite it\ngot:  %s\nwant: %s", what, i+1, g[i], w[i])
}

// Table returns rows as a table in Markdown. The first row is the head.
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
