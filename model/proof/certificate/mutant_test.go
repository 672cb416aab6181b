package certificate

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are changes to check.go: one for each comparison, and for what else a
// sound checker needs.
var mutants = []struct{ old, new string }{
	{"len(c.rest) > 0", "false"},
	{"case Split:\n", "case Split, 2:\n"},
	{"i >= uint64(len(c.inequalities))", "false"},
	{"i >= uint64(len(c.choices))", "false"},
	{"factor.Sign() != 0", "false"},
	{"bound.Sign() >= 0", "false"},
	{"bound.Sign() >= 0", "bound.Sign() > 0"},
	{"n <= 0", "n < 0"},
	{"n <= 0", "n == 0"},
	{"SetUint64(c.number())", "SetInt64(int64(c.number()))"},
	{"new(big.Int).Mul(by, big.NewInt(k))", "big.NewInt(by.Int64()*k)"},
	{"range c.choices[i] {", "range c.choices[i][:min(1, len(c.choices[i]))] {"},
	{"c.inequalities, c.choices = c.inequalities[:inequalities], c.choices[:choices]", "c.choices = c.choices[:choices]; _ = inequalities"},
	{"c.inequalities, c.choices = c.inequalities[:inequalities], c.choices[:choices]", "c.inequalities = c.inequalities[:inequalities]; _ = choices"},
	{"n > 0 && c.err == nil", "n > 0"},
	{"case Any:\n", "case Any + 9:\n"},
}

// TestHazard_CheckerMutants: TestHazard_CheckRejects and TestUnit_CheckAccepts
// fail for each mutant of the checker.
func TestHazard_CheckerMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the checker for each mutant")
	}
	dir := t.TempDir()
	source, err := os.ReadFile("check.go")
	if err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs("check.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(mutants, struct{ old, new string }{"package", "package"}) {
		if got := strings.Count(string(source), m.old); got != 1 && m.old != m.new {
			t.Errorf("check.go has %d times %q, want once", got, m.old)
			continue
		}
		timeout := "0"
		if strings.HasPrefix(m.old, "n ") { // the mutant may not end
			timeout = "1s"
		}
		changed, overlay := filepath.Join(dir, "check.go"), filepath.Join(dir, "overlay.json")
		list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{changed: strings.Replace(string(source), m.old, m.new, 1), overlay: string(list)} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-overlay", overlay, "-timeout", timeout, "-run", "Check(Accepts|Rejects)$", ".").CombinedOutput()
		switch text := string(out); {
		case strings.Contains(text, "build failed"):
			t.Errorf("%q for %q does not compile: %s", m.new, m.old, text)
		case (err == nil) != (m.old == m.new):
			t.Errorf("with %q for %q the tests end with %v: %s", m.new, m.old, err, text)
		}
	}
}
