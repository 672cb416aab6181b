package proof_test

import (
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// TestUnit_TableHasTheStepsOfSpec: each step is in the table with its lock, its
// next steps and its writes.
func TestUnit_TableHasTheStepsOfSpec(t *testing.T) {
	moves := map[spec.Step][]proof.Move{}
	for _, m := range proof.Protocol() {
		if label, _, _ := strings.Cut(m.Name, "."); label == m.From.String() {
			moves[m.From] = append(moves[m.From], m)
		} else if label != spec.GiveUp.String() {
			t.Errorf("move %s is neither the step %v nor %v", m.Name, m.From, spec.GiveUp)
		}
	}
	for _, step := range proof.Steps {
		var to, want []spec.Step
		var writes []spec.Word
		for _, m := range moves[step] {
			if m.Lock != step.Lock() {
				t.Errorf("move %s: lock %v, want %v", m.Name, m.Lock, step.Lock())
			}
			if m.Return != (step == spec.UnlockExit) {
				t.Errorf("move %s: return %v", m.Name, m.Return)
			}
			to = append(to, m.To)
			for _, w := range m.Set {
				writes = append(writes, w.Word)
			}
		}
		for _, b := range step.Next() {
			if b.To != step { // staying is no move
				want = append(want, b.To)
			}
		}
		if got := distinct(to); !slices.Equal(got, distinct(want)) {
			t.Errorf("moves of %v lead to %v, want %v", step, got, want)
		}
		if got := distinct(writes); !slices.Equal(got, step.Writes()) {
			t.Errorf("moves of %v write %v, want %v", step, got, step.Writes())
		}
	}
}

func distinct[T ~uint8](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func TestUnit_Scenario(t *testing.T) {
	for _, sc := range spec.AllScenarios {
		table, err := proof.Scenario(sc)
		switch sc {
		case spec.Withdraw, spec.Reuse, spec.Single:
			if err != nil {
				t.Errorf("Scenario(%v): %v", sc, err)
			}
			for _, m := range table {
				if withdraws := m.From >= spec.LockWithdraw || m.To >= spec.LockWithdraw || strings.HasPrefix(m.Name, "GiveUp"); withdraws && sc != spec.Withdraw {
					t.Errorf("Scenario(%v) has move %s", sc, m.Name)
				}
			}
		default:
			if err == nil {
				t.Errorf("Scenario(%v): no error, want one: the proof is not about misuse", sc)
			}
		}
	}
}
