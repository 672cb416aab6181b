package proof_test

import (
	"fmt"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// everyState calls visit with each State of n processes, reachable or not,
// whose words and lock are in range.
func everyState(n int, visit func(*proof.State)) {
	var place func(s *proof.State, slot, left int)
	place = func(s *proof.State, slot, left int) {
		if slot == 2*len(proof.Steps) {
			if left == 0 {
				everyWord(s, visit)
			}
			return
		}
		at := &s.At[slot/len(proof.Steps)][proof.Steps[slot%len(proof.Steps)]]
		for k := 0; k <= left; k++ {
			*at = int32(k)
			place(s, slot+1, left-k)
		}
		*at = 0
	}
	place(&proof.State{N: int32(n)}, 0, n)
}

func everyWord(s *proof.State, visit func(*proof.State)) {
	for s.Lock = 0; s.Lock <= 1; s.Lock++ {
		for s.Words.Flag = 0; s.Words.Flag <= 1; s.Words.Flag++ {
			for s.Words.Enter = 0; s.Words.Enter <= s.N; s.Words.Enter++ {
				for s.Words.Exit = -1; s.Words.Exit <= s.N; s.Words.Exit++ {
					visit(s)
				}
			}
		}
	}
}

// TestUnit_ConditionsWithoutSolver decides every condition for 1 to 3 processes
// by trying all states. It shares only the formulas with the scripts for Z3.
func TestUnit_ConditionsWithoutSolver(t *testing.T) {
	t.Parallel()
	conditions, inv := proof.Conditions(proof.Protocol()), proof.TheInvariant()
	swapped := proof.Invariant{Gathering: inv.Draining, Draining: inv.Gathering}
	for n := 1; n <= 3; n++ {
		admitted := 0
		everyState(n, func(s *proof.State) {
			if !inv.Holds(s) {
				return
			}
			admitted++
			if inv.Phase(s) == swapped.Phase(s) { // the first phase is asked first
				t.Fatalf("%v belongs to both phases", s)
			}
			for _, c := range conditions {
				if after, breaks, refuted := c.Refuted(s); refuted {
					t.Fatalf("%s: in %v, after %v: breaks %v", c.Name, s, after, breaks)
				}
			}
		})
		reached := len(search(t, spec.Withdraw, n).States)
		t.Logf("n = %d: the invariant admits %d states, %d of them reachable", n, admitted, reached)
		if admitted < reached {
			t.Errorf("n = %d: the invariant admits %d states, fewer than the %d reachable", n, admitted, reached)
		}
	}
}

// places lists the steps where there are processes in each phase.
var places = map[string][]spec.Step{
	"Gathering behind": {spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter, spec.TestFirst,
		spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst, spec.LowerFlag, spec.CountEnter, spec.ResetEnter,
		spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter, spec.AwaitFlag,
		spec.LockWithdraw, spec.TestFlag, spec.UncountEnter, spec.UnlockWithdraw},
	"Draining behind": {spec.UnlockEnter, spec.AwaitFlag, spec.LockExit, spec.CountExit, spec.ClearExit, spec.UnlockExit,
		spec.LockWithdraw, spec.TestFlag},
	"Draining ahead": {spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter, spec.TestFirst,
		spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst},
}

// TestUnit_InvariantIsNotVacuous: the reachable states include both phases,
// with processes at every step that these speak of.
func TestUnit_InvariantIsNotVacuous(t *testing.T) {
	inv, found := proof.TheInvariant(), map[string]bool{}
	r := search(t, spec.Withdraw, 3)
	for i := range r.States {
		s := &r.States[i]
		for _, g := range proof.Groups {
			for _, step := range proof.Steps {
				if s.At[g][step] > 0 {
					found[fmt.Sprintf("%s %v at %v", inv.Phase(s), g, step)] = true
				}
			}
		}
	}
	want := 0
	for place, steps := range places {
		for _, step := range steps {
			want++
			if name := fmt.Sprintf("%s at %v", place, step); !found[name] {
				t.Errorf("no process is ever %s", name)
			}
		}
	}
	if len(found) != want {
		t.Errorf("processes are found in %d places, want %d; found: %v", len(found), want, found)
	}
}
