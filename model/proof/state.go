package proof

import (
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// A Group is one of the two groups that the processes are in.
type Group uint8

// A process is Behind if no process has completed fewer calls, and Ahead if it
// has completed one more than those. When the last one behind completes its
// call, those ahead are behind.
const (
	Behind Group = iota
	Ahead
)

// Groups lists both groups.
var Groups = []Group{Behind, Ahead}

// String returns behind or ahead.
func (g Group) String() string { return [...]string{"behind", "ahead"}[g] }

// Steps lists the steps of a call and of withdrawal. Construction is over
// before the first call.
var Steps = append(append([]spec.Step(nil), spec.CallSteps...), spec.WithdrawalSteps...)

const numSteps = int(spec.UnlockWithdraw) + 1

// A State is the counter abstraction of a state of the protocol. It is
// comparable.
type State struct {
	N     int32              // processes, and the party count of every call
	Lock  int32              // 1: held, 0: free
	Words spec.Words         // the three words
	At    [2][numSteps]int32 // the number at each step, by Group and spec.Step
}

// Initial is the state of n processes before their first call.
func Initial(n int) State {
	s := State{N: int32(n), Words: spec.Initial}
	s.At[Behind][spec.Call] = int32(n)
	return s
}

// String returns the words, the lock and the counters on one line.
func (s State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "n=%d %v lock=%d", s.N, s.Words, s.Lock)
	for _, g := range Groups {
		if at := s.who(g); at != "" {
			fmt.Fprintf(&b, " %v: %s", g, at)
		}
	}
	return b.String()
}

// who lists the counters of the group that are not 0, in the order of a call.
func (s State) who(g Group) string {
	var list []string
	for _, step := range Steps {
		if k := s.At[g][step]; k != 0 {
			list = append(list, fmt.Sprintf("%d×%v", k, step))
		}
	}
	return strings.Join(list, ", ")
}
