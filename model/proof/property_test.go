package proof_test

import (
	"slices"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// properties are those of HAZARDS.md for the state of all processes, written
// without the formulas of the proof.
var properties = map[string]func(s *proof.State) bool{
	"NoEarlyExit": func(s *proof.State) bool {
		return sum(s, proof.Ahead, everyStep) == 0 || s.At[proof.Behind][spec.Call] == 0
	},
	"NeverTwoAhead": func(s *proof.State) bool { return s.At[proof.Ahead][spec.UnlockExit] == 0 },
	"WordsInRange": func(s *proof.State) bool {
		w := s.Words
		return 0 <= w.Enter && w.Enter <= s.N && -1 <= w.Exit && w.Exit <= s.N && (w.Flag == 0 || w.Flag == 1)
	},
	"LockExclusive": func(s *proof.State) bool {
		return sum(s, proof.Behind, spec.Step.Holds)+sum(s, proof.Ahead, spec.Step.Holds) <= 1
	},
	"Quiescent": func(s *proof.State) bool {
		outside := s.At[proof.Behind][spec.Call]+s.At[proof.Ahead][spec.Call] == s.N
		return !outside || s.Words.Enter == 0 && (s.Words.Exit == -1 || s.Words.Exit == s.N)
	},
}

func everyStep(spec.Step) bool { return true }

// sum counts the processes of the group at steps of a kind.
func sum(s *proof.State, g proof.Group, of func(spec.Step) bool) (n int32) {
	for _, step := range proof.Steps {
		if of(step) {
			n += s.At[g][step]
		}
	}
	return n
}

// TestConform_Goals compares what the proof proves, in every state of one and
// two processes, reachable or not and with words beyond their range, with the
// properties above. A goal that says less would be easier to prove, and the
// proof worth less.
func TestConform_Goals(t *testing.T) {
	t.Parallel()
	goals := proof.Properties(proof.Protocol())
	if len(goals) != len(properties) {
		t.Fatalf("Properties: got %d, want %d", len(goals), len(properties))
	}
	for n := 1; n <= 2; n++ {
		everyState(n, func(at *proof.State) {
			if at.Words != (spec.Words{Enter: 0, Exit: -1, Flag: 0}) { // each place once
				return
			}
			s := *at
			for s.Words.Flag = -1; s.Words.Flag <= 2; s.Words.Flag++ {
				for s.Words.Enter = -1; s.Words.Enter <= s.N+1; s.Words.Enter++ {
					for s.Words.Exit = -2; s.Words.Exit <= s.N+1; s.Words.Exit++ {
						for i := range goals {
							if g := &goals[i]; g.Holds.True(&s) != properties[g.Name](&s) {
								t.Fatalf("%s in %v: the proof says %v", g.Name, s, g.Holds.True(&s))
							}
						}
					}
				}
			}
		})
	}
}

// TestUnit_Obligations: the invariant is to hold at first, after each move of
// each group, and to imply each property: no condition is missing, and each has
// the whole invariant before it and its own goal after it.
func TestUnit_Obligations(t *testing.T) {
	table := proof.Protocol()
	var want, got []string
	for _, r := range table.Rules() {
		want = append(want, "step."+r.Name)
	}
	for _, p := range proof.Properties(table) {
		want = append(want, "safety."+p.Name)
	}
	want = append(want, "initiation")
	first := proof.Initial(2)
	none := proof.State{N: 2} // satisfies no invariant
	for _, c := range proof.Conditions(table) {
		if c.Kind == spec.Liveness {
			continue // TestUnit_ObligationsOfLiveness
		}
		got = append(got, c.Name)
		step, safe := c.Next != nil, c.Goal != nil
		if given := c.Given != nil; given != (c.Name == "initiation") || step != (c.Name[:4] == "step") || safe != (c.Name[:6] == "safety") || c.Change != nil {
			t.Errorf("condition %s: given %v, after a move %v, with a goal %v", c.Name, given, step, safe)
		}
		if safe && "safety."+c.Goal.Name != c.Name {
			t.Errorf("condition %s has the goal %s", c.Name, c.Goal.Name)
		}
		if _, _, refuted := c.Refuted(&none); refuted {
			t.Errorf("condition %s is refuted by %v, in which the invariant does not hold", c.Name, none)
		}
		if c.Given != nil {
			everyState(2, func(s *proof.State) {
				if c.Given.Holds.True(s) != (*s == first) {
					t.Fatalf("initial state: the proof says %v of %v", c.Given.Holds.True(s), s)
				}
			})
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("conditions: got %q, want %q", got, want)
	}
}
