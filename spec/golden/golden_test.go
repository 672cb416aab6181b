package golden

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const text = `before
<!-- table:one -->
old
<!-- /table:one -->
between
<!-- table:two -->
2
<!-- /table -->
after
`

// A listener is a testing.TB that hears of errors instead of failing.
type listener struct {
	testing.TB
	errors []string
}

func (l *listener) Errorf(format string, args ...any) { l.errors = append(l.errors, format) }
func (l *listener) Failed() bool                      { return len(l.errors) > 0 }

func write(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func generate(name string) string { return map[string]string{"one": "1\n", "two": "2\n"}[name] }

func TestParts_SayWhatIsStale(t *testing.T) {
	path, heard := write(t), &listener{TB: t}
	names := Parts(heard, path, "table", generate)
	if len(heard.errors) != 1 || !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("Parts: %d errors, names %v; want 1 and one, two", len(heard.errors), names)
	}
	if got := read(t, path); got != text {
		t.Errorf("the page was changed without -update:\n%s", got)
	}
	heard = &listener{TB: t}
	Part(heard, path, "table", "two", "2\n")
	if len(heard.errors) != 0 {
		t.Errorf("Part of a fresh table: %v", heard.errors)
	}
}

func TestParts_Update(t *testing.T) {
	flag.Set("update", "true")
	defer flag.Set("update", "false")
	path := write(t)
	Parts(t, path, "table", generate)
	if got, want := read(t, path), strings.Replace(text, "old", "1", 1); got != want {
		t.Errorf("after -update:\n%s\nwant:\n%s", got, want)
	}
}

func TestTable(t *testing.T) {
	got := Table([][]string{{"a", "b"}, {"1", "2"}})
	if want := "| a | b |\n|---|---|\n| 1 | 2 |\n"; got != want {
		t.Errorf("Table = %q, want %q", got, want)
	}
}
