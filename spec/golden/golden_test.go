package golden

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const text = `before
<!-- table:one -->
first
old
<!-- /table:one -->
between
<!-- table:two -->
2
<!-- /table -->
after
`

// A recorder is a testing.TB that keeps errors instead of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Failed() bool { return len(r.errors) > 0 }

func page(t *testing.T) (path string) {
	path = filepath.Join(t.TempDir(), "page.md")
	write(t, path, text)
	return path
}

func generate(name string) string {
	return map[string]string{"one": "first\nnew\n", "two": "2\n"}[name]
}

func TestUnit_StalePartsAreReported(t *testing.T) {
	path, r := page(t), &recorder{TB: t}
	names := Parts(r, path, "table", generate)
	if !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("Parts: names %v, want one and two", names)
	}
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "table one is stale from its line 2 on") {
		t.Errorf("Parts: errors %q, want that line 2 of table one is stale", r.errors)
	}
	if got := read(t, path); got != text {
		t.Errorf("the page was changed without -update:\n%s", got)
	}
	r = &recorder{TB: t}
	Part(r, path, "table", "two", "2\n")
	File(r, path, text)
	if len(r.errors) != 0 {
		t.Errorf("Part of a fresh table and File of a fresh page: %q", r.errors)
	}
	if File(r, path, text+"more"); len(r.errors) != 1 {
		t.Errorf("File of a stale page: %q, want 1 error", r.errors)
	}
}

func TestUnit_UpdateRewrites(t *testing.T) {
	flag.Set("update", "true")
	defer flag.Set("update", "false")
	path := page(t)
	Parts(t, path, "table", generate)
	if got, want := read(t, path), strings.Replace(text, "old", "new", 1); got != want {
		t.Errorf("Parts with -update:\n%s\nwant:\n%s", got, want)
	}
	if File(t, path, "short"); read(t, path) != "short" {
		t.Errorf("File with -update:\n%s\nwant short", read(t, path))
	}
}

func TestUnit_Table(t *testing.T) {
	got := Table([][]string{{"a", "b"}, {"1", "2"}})
	if want := "| a | b |\n|---|---|\n| 1 | 2 |\n"; got != want {
		t.Errorf("Table = %q, want %q", got, want)
	}
}
