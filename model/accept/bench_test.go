package accept_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/accept/accepttest"
)

// BenchmarkCheck reads and checks a trace; the time is that of one event.
func BenchmarkCheck(b *testing.B) {
	trace := accepttest.Record(rand.New(rand.NewPCG(1, 1)), accepttest.Walk{Procs: 8, Events: b.N, GiveUps: 0.02})
	file := accepttest.Text(trace)
	b.ResetTimer()
	read, err := accept.Read(strings.NewReader(file))
	if err != nil {
		b.Fatal(err)
	}
	if r := accept.Check(read); r.Rejection != nil {
		b.Fatalf("rejected: %+v", r.Rejection)
	}
}
