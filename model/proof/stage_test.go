package proof

import (
	"slices"
	"testing"
)

// TestHazard_StageOff: if a stage begins or ends elsewhere, a condition of the
// rank is not valid. TestUnit_ConditionsWithoutSolver is the control.
func TestHazard_StageOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		stage int
		when  Expr
	}{
		{"gathering while the flag is down", 0, eqConst(flag, 0)},
		{"gathering while no process is on its way out", 0, zero(ref(leaving))},
		{"gathering while the flag is down and no process is on its way out", 0, and(eqConst(flag, 0), zero(ref(leaving)))},
		{"gathering always", 0, and()},
		{"gathering never", 0, or()},
		{"draining until the round ends", 1, and()},
		{"draining never", 1, or()},
	} {
		rank := TheRank()
		rank.Stages[tc.stage].When = tc.when
		refuted := slices.ContainsFunc(ConditionsOf(Protocol(), TheInvariant(), rank), func(c Condition) bool {
			if c.Verify() == nil {
				return false
			}
			_, example, err := c.Decide(t.Context())
			if err != nil {
				t.Errorf("%s: %s: Decide: %v", tc.name, c.Name, err)
			}
			return example != nil
		})
		if !refuted {
			t.Errorf("%s: all conditions are valid, want one that is not", tc.name)
		}
	}
}
