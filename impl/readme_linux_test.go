package impl_test

import (
	"os"
	"strings"
	"testing"

	"sharedbarrier/spec/golden"
)

// TestGolden_Readme shows that README.md has the body of Example.
func TestGolden_Readme(t *testing.T) {
	source, err := os.ReadFile("example_linux_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func Example() {\n")
	body, _, found := strings.Cut(body, "\t// Output:")
	if !found {
		t.Fatal("example_linux_test.go has no Example with an output")
	}
	body = strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:]
	golden.Part(t, "../README.md", "code", "example", "```go\n"+body+"```\n")
}
