package accept

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkCheck reads and checks a trace; the time is that of one event.
func BenchmarkCheck(b *testing.B) {
	trace := record(rand.New(rand.NewPCG(1, 1)), 8, b.N, 0.02, 0)
	file := text(trace)
	b.ResetTimer()
	read, err := Read(strings.NewReader(file))
	if err != nil {
		b.Fatal(err)
	}
	if r := Check(read); r.Rejection != nil {
		b.Fatalf("rejected: %+v", r.Rejection)
	}
}
