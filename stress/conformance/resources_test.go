//go:build linux

package conformance

import (
	"fmt"
	"os"
	"testing"
)

// TestHazard_Grown: what each call leaves is a leak, and what one call leaves
// is none, as the threads of a collector that starts.
func TestHazard_Grown(t *testing.T) {
	for _, c := range []struct {
		name   string
		leaves func(call int) (files int)
		leak   bool
	}{
		{"nothing", func(int) int { return 0 }, false},
		{"once", func(call int) int { return map[int]int{60: 50}[call] }, false},
		{"each call", func(int) int { return 1 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newSubject(t.Context(), "go").opened()
			defer f.close() // removes what begins with the name of the segment
			call := 0
			f.repeat(150, 150, 0, func() {
				for i := range c.leaves(call) {
					f.try(func() error { return os.WriteFile(fmt.Sprintf("%s.%d.%d", f.path(), call, i), nil, 0o600) })
				}
				call++
			})
			if accuses(f.err) != c.leak || f.err != nil && !c.leak {
				t.Errorf("got %v, want a mistake: %v", f.err, c.leak)
			}
		})
	}
}
