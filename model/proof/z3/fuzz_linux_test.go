package z3

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// FuzzAnswers: whatever a solver answers, it verifies a condition only by
// unsat, and violates one only with a state in which the condition fails.
func FuzzAnswers(f *testing.F) {
	c := proof.Conditions(proof.Protocol())[0]
	var model strings.Builder
	model.WriteString("sat\nsat\n")
	for _, name := range proof.Symbols() {
		fmt.Fprintf(&model, "((%s (- 1)))\n", name)
	}
	for _, text := range []string{
		"", "sat", "sat\n", "unsat\n", "unknown\n", "timeout\n", "(error \"line 1\")\n", "\n", "SAT\n", "unsat unsat\n", strings.Repeat("sat\n", 200), "sat\n" + strings.Repeat("unsat\n", 9) + "sat\n",
		model.String(), strings.ReplaceAll(model.String(), "(- 1)", "99999999999"), strings.ReplaceAll(model.String(), "))", ""), strings.Replace(model.String(), "1", "x", 1), "\xff\x00\n",
	} {
		f.Add(text)
	}
	ignore, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &dialogue{in: ignore, out: bufio.NewReader(strings.NewReader(text))}
		verdict, example, err := d.decide(c, time.Second)
		first, _, _ := strings.Cut(text, "\n")
		switch {
		case err != nil && err != io.EOF && (verdict != "" && verdict != spec.Violated || example != nil):
			t.Errorf("%q: got %v, %v, %v", text, verdict, example, err)
		case err == nil && verdict == spec.Verified && strings.TrimSpace(first) != "unsat":
			t.Errorf("%q verifies a condition", text)
		case err == nil && verdict == spec.Violated && example == nil:
			t.Errorf("%q violates a condition without a counterexample", text)
		}
	})
}
