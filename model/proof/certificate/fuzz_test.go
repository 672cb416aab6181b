package certificate

import "testing"

// FuzzCheck: no bytes are a certificate of a formula that is true of some
// integers, and none make Check panic or run on.
func FuzzCheck(f *testing.F) {
	satisfiable := []Formula{
		all(atMost(0, 1), atMost(1, -1, 1), choice(atMost(-5, -1), atMost(3, 1, 1))),
		choice(apart, all(atMost(5, 1), choice(apart, atMost(0, 0, 1)))),
		all(atMost(-1, 1<<62), atMost(0, 1, -1), atMost(0, -1, 1)),
		all(),
	}
	for _, tc := range wrong {
		f.Add(tc.proof)
	}
	f.Add(nestedProof)
	f.Add(split(0, split(0, sum(3, 1, 4, 1), sum(2, 1, 4, 1)), sum(0, 1, 1, 1)))
	f.Fuzz(func(t *testing.T, proof []byte) {
		for i, formula := range satisfiable {
			if err := Check(formula, proof); err == nil {
				t.Errorf("formula %d: Check accepts", i)
			}
		}
		Check(nested, proof)
	})
}
