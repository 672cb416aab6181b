//go:build linux

package inspect

import (
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// TestUnit_KnownSteps: parties that say at which step they are narrow down the
// step at which one died. The control says nothing. Of 20 parties a state of
// fewer is found.
func TestUnit_KnownSteps(t *testing.T) {
	for _, procs := range []int{3, 20} {
		for _, known := range []bool{true, false} {
			waiting := procs - 1
			v := scene(spec.Words{Enter: int32(waiting), Exit: int32(procs), Flag: 0}, repeat(Polls, waiting)...)
			parties := []Party{{Gone: true, Inside: true, Step: new(spec.AwaitDrain)}}
			for i := range waiting {
				parties = append(parties, Party{Owns: func(pid int) bool { return pid == i+1 }, Inside: true, Step: new(spec.AwaitFlag)})
			}
			want := []spec.Step{spec.AwaitDrain, spec.LockFirst}
			if !known {
				for i := range parties {
					parties[i].Step = nil
				}
			}
			r, err := v.report(t.Context(), Options{Parties: parties})
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != Hangs || len(r.Causes) == 0 || slices.Equal(r.Causes[0].Died, want) != known || !slices.Contains(r.Causes[0].Died, spec.AwaitDrain) {
				t.Errorf("%d parties, steps known %v: status %q, causes %+v; want %q, and that one died at %v, or at more steps if they are not known",
					procs, known, r.Status, r.Causes, Hangs, want)
			}
		}
	}
}

// TestUnit_KnownParties: a party that says it is outside while the others wait
// may still call. One that is there without the segment is named.
func TestUnit_KnownParties(t *testing.T) {
	owns := func(n int) func(int) bool { return func(pid int) bool { return pid == n } }
	for _, c := range []struct {
		what  string
		third Party
		acts  []Activity
		want  Status
		why   string
	}{
		{"is outside and works", Party{Owns: owns(3)}, []Activity{Polls, Polls, Runs}, Waiting, "process 3 has the segment mapped and may be outside"},
		{"has ended outside", Party{Owns: owns(3), Gone: true}, []Activity{Polls, Polls}, Hangs, "1 party has ended outside a call, of 3"},
		{"has not the segment mapped", Party{Owns: owns(9), Inside: true}, []Activity{Polls, Polls}, Waiting, "party 2 is there, and has not this segment mapped"},
	} {
		v := scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, c.acts...)
		r, err := v.report(t.Context(), Options{Parties: []Party{{Owns: owns(1), Inside: true}, {Owns: owns(2), Inside: true}, c.third}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != c.want || len(r.Causes) == 0 || !strings.Contains(r.Causes[0].Why, c.why) {
			t.Errorf("the third party %s: status %q, causes %+v; want %q, first %q", c.what, r.Status, r.Causes, c.want, c.why)
		}
	}
}

// TestUnit_MissingRanks: the ranks of the parties that are there say which are
// not, if all of them have one.
func TestUnit_MissingRanks(t *testing.T) {
	for _, c := range []struct{ ranks, want string }{
		{"0 1 3 4", "rank 2, 5-7 of 8"},
		{"0 1 3 -", "4 of 8"},
		{"0 1 1 4", "4 of 8"}, // a process and a child of it
	} {
		v := scene(spec.Words{Enter: 4, Exit: 8, Flag: 0}, repeat(Quiet, 4)...) // the model is not asked
		for i, rank := range strings.Fields(c.ranks) {
			if rank != "-" {
				v.last.Processes[i].Rank = "LOCAL_RANK=" + rank
			}
		}
		r, err := v.report(t.Context(), Options{Procs: 8})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.missing(); got != c.want {
			t.Errorf("with the ranks %s, missing is %q, want %q", c.ranks, got, c.want)
		}
	}
}
