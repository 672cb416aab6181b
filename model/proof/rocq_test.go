package proof_test

import (
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec/golden"
)

// TestGolden_RocqTable: the table that Rocq proves is the one of the Go code.
func TestGolden_RocqTable(t *testing.T) {
	golden.File(t, "rocq/Table.v", proof.Protocol().Rocq(proof.TheRank()))
}
