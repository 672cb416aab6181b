package accepttest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Example is the example of TRACES.md.
var Example = strings.Join(strings.SplitAfter(Text(Record(rand.New(rand.NewPCG(4, 4)), Walk{Procs: 2, Events: 200})), "\n")[:12], "")

// Spoilt is Example with a wrong word in line 7.
var Spoilt = strings.Replace(Example, `"label":"UnlockInit","number":2,"words":{"enter":0,"exit":2`, `"label":"UnlockInit","number":2,"words":{"enter":0,"exit":1`, 1)

// File writes a trace and returns its path, which a shell must have quoted.
func File(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it's a.trace")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
