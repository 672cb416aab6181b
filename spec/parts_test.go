package spec_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-graphviz"

	"sharedbarrier/spec/golden"
)

// TestGolden_Parts draws the picture of README.md from parts.dot, and compares
// its solid arrows with the imports of the sources.
func TestGolden_Parts(t *testing.T) {
	text, err := os.ReadFile("parts.dot")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := graphviz.ParseBytes(text)
	if err != nil {
		t.Fatalf("parts.dot: %v", err)
	}
	defer graph.Close()
	if got, want := arrows(text), imports(t); !slices.Equal(got, want) {
		t.Errorf("parts.dot has the solid arrows %v, want the imports %v", got, want)
	}
	renderer, err := graphviz.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer renderer.Close()
	var svg bytes.Buffer
	if err := renderer.Render(t.Context(), graph, graphviz.SVG, &svg); err != nil {
		t.Fatal(err)
	}
	golden.File(t, "parts.svg", svg.String())
}

var arrow = regexp.MustCompile(`(?m)^\t(\w+ -> \w+)\b(.*)$`)

// arrows returns the solid edges of the graph, sorted.
func arrows(dot []byte) (edges []string) {
	for _, m := range arrow.FindAllStringSubmatch(string(dot), -1) {
		if !strings.Contains(m[2], "dashed") {
			edges = append(edges, m[1])
		}
	}
	slices.Sort(edges)
	return edges
}

// imports returns which top-level folder imports which, sorted. Imports of
// tests do not count.
func imports(t *testing.T) []string {
	t.Helper()
	edges := map[string]bool{}
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../.") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := func(path string) string { return strings.Split(filepath.ToSlash(path), "/")[1] }
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if from := folder(path); strings.HasPrefix(imported, "sharedbarrier/") && from != folder(imported) {
				edges[fmt.Sprintf("%s -> %s", from, folder(imported))] = true
			}
		}
		return nil
	}
	if err := filepath.WalkDir("..", walk); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(edges))
}
