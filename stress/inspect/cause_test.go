//go:build linux

package inspect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// TestUnit_Ranking has a case for each comparison of two causes, with all that
// is left of the causes: the scenario, the party count, and those that are
// missing, dead and idle, as far as there are some.
func TestUnit_Ranking(t *testing.T) {
	for _, c := range []struct {
		what     string
		words    spec.Words
		waiting  int
		counts   []int
		evidence evidence
		want     string
	}{
		{"one that is missing comes before one that died and left no trace", spec.Words{Enter: 2, Exit: 3, Flag: 0}, 2, []int{3}, evidence{},
			"reuse 3 missing 1, crash 3 dead 1"},
		{"a death that is seen costs nothing", spec.Words{Enter: 2, Exit: 3, Flag: 0}, 2, []int{3}, evidence{deaths: 1},
			"crash 3 dead 1, reuse 3 missing 1"},
		{"as above", spec.Words{Enter: 0, Exit: -1, Flag: 1}, 2, []int{3}, evidence{deaths: 1},
			"crash 3 dead 1, reuse 3 missing 1"},
		{"an end outside that is seen costs nothing", spec.Words{Enter: 0, Exit: -1, Flag: 1}, 2, []int{3}, evidence{deaths: 1, ended: 1},
			"reuse 3 missing 1, crash 3 dead 1"},
		{"two that sleep outside by the ticks of a waiter come after a broken rule", spec.Words{Enter: 1, Exit: 3, Flag: 0}, 3, []int{3}, evidence{},
			"split-lock 3, disagreeing 3, reuse 3 idle 2, late-construction 3"},
		{"a death comes before a broken rule", spec.Words{Enter: 0, Exit: 2, Flag: 1}, 2, []int{2, 3, 4}, evidence{},
			"crash 3 dead 1, surplus 2"},
		{"a rule that is seen to be broken costs nothing", spec.Words{Enter: 0, Exit: 2, Flag: 1}, 2, []int{2, 3, 4}, evidence{broken: map[spec.Scenario]bool{spec.Surplus: true}},
			"surplus 2"},
		{"one that started late has rather constructed late", spec.Words{Enter: 1, Exit: 3, Flag: 0}, 3, []int{3}, evidence{staggered: true},
			"late-construction 3, split-lock 3, disagreeing 3, reuse 3 idle 2"},
		{"a rule of the start comes before one of a run", spec.Words{Enter: 0, Exit: 1, Flag: 1}, 3, []int{3}, evidence{},
			"late-construction 3, abandon 3, split-lock 3"},
		{"the scenario comes first that leaves such words more often", spec.Words{Enter: 1, Exit: 1, Flag: 0}, 3, []int{3}, evidence{},
			"surplus 3, disagreeing 3, late-construction 3"},
		{"a fork is a cause if it is seen", spec.Words{Enter: 1, Exit: 2, Flag: 0}, 2, []int{2}, evidence{broken: map[spec.Scenario]bool{spec.Fork: true}},
			"fork 2"},
	} {
		q := question{words: c.words, parties: slices.Repeat([]party{{at: polls, less: outside}}, c.waiting)}
		found, complete := q.explain(t.Context(), c.counts, c.evidence)
		if !complete {
			t.Fatal("the model was not explored")
		}
		var got []string
		for _, cause := range best(slices.DeleteFunc(found, Cause.isNothing)) {
			text := fmt.Sprintf("%v %d", cause.kind, cause.Procs)
			for _, n := range []struct {
				name string
				n    int
			}{{"missing", cause.Missing}, {"dead", cause.fit.dead}, {"idle", cause.fit.idle}} {
				if n.n > 0 {
					text += fmt.Sprintf(" %s %d", n.name, n.n)
				}
			}
			got = append(got, text)
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: the causes are %q, want %q", c.what, got, c.want)
		}
	}
}
