package explore

import (
	"context"
	"fmt"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func BenchmarkExplore(b *testing.B) {
	for _, n := range []int{4, 5, 6} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("scenario=reuse/procs=%d/rounds=3/workers=%d", n, workers), func(b *testing.B) {
				cfg := model.Config{Scenario: spec.Reuse, Procs: n, Rounds: 3}
				for b.Loop() {
					Explore(context.Background(), cfg, Options{Workers: workers})
				}
			})
		}
	}
}
