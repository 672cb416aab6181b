package explore

import (
	"context"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func BenchmarkExplore(b *testing.B) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 6, Rounds: 3}
	for b.Loop() {
		Explore(context.Background(), cfg, Options{Workers: 1})
	}
}
