//go:build linux

package trace

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/spec"
)

// check compares a recording of parties at a real barrier with the protocol. It
// fails if
//
//   - the records of a worker are no walk along the branches of package spec;
//   - the numbers of a worker descend, or two steps under the lock have the same;
//   - between two steps under the lock, in their order, the words did not change
//     as the earlier step changes them, or the lock was not released.
//
// A step that may not have been taken may have changed the words, or not.
func check(r Recording, workers int) error {
	from := int64(0) // no ring has lost a record from this number on
	for w := range workers {
		records := r.Of(w)
		for i, record := range records {
			if i == 0 {
				continue
			}
			before := records[i-1]
			if !follows(before, record) {
				return fmt.Errorf("worker %d: %v follows %v", w, record.Label, before.Label)
			}
			if record.Number < before.Number || !before.Taken {
				return fmt.Errorf("worker %d: %v with number %d follows %v with number %d, taken %v", w, record, record.Number, before, before.Number, before.Taken)
			}
		}
		if len(records) >= Last-1 {
			from = max(from, records[0].Number)
		}
	}
	var before *Record
	for i := range r.Records {
		record := &r.Records[i]
		if record.Words == nil || record.Number < from {
			continue
		}
		if before != nil {
			if err := inOrder(before, record); err != nil {
				return err
			}
		}
		before = record
	}
	return nil
}

// follows reports whether a worker may record b after a.
func follows(a, b Record) bool {
	step, ok := a.Step()
	if !ok {
		return b.Label == "Call" || b.Label == "MakeEnter"
	}
	var to []string
	for _, branch := range step.Next() {
		to = append(to, branch.To.String())
	}
	switch step {
	case spec.AwaitFlag: // the context ends
		to = append(to, "LockWithdraw")
	case spec.UnlockExit, spec.MakeFlag:
		to = []string{"returned"}
	case spec.UnlockWithdraw:
		to = []string{"withdrawn"}
	}
	return slices.Contains(to, b.Label)
}

// inOrder compares two steps under the lock between which there is no other.
func inOrder(a, b *Record) error {
	step, _ := a.Step()
	words := []spec.Words{accepttest.After(step, *a.Words, a.Parties)}
	if !a.Taken {
		words = append(words, *a.Words)
	}
	switch {
	case a.Number >= b.Number:
		return fmt.Errorf("%v of worker %d and %v of worker %d have the number %d", a, a.Worker, b, b.Worker, a.Number)
	case !slices.Contains(words, *b.Words):
		return fmt.Errorf("after %d: %v of worker %d at %v come %v at %d: %v of worker %d", a.Number, a, a.Worker, a.Words, b.Words, b.Number, b, b.Worker)
	case a.Worker != b.Worker && a.Taken && !strings.HasPrefix(a.Label, "Unlock"):
		return fmt.Errorf("after %d: %v of worker %d, which holds the lock, comes %d: %v of worker %d", a.Number, a, a.Worker, b.Number, b, b.Worker)
	}
	return nil
}
