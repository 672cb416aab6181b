//go:build linux

package trace

import (
	"os"
	"testing"

	"sharedbarrier/spec"
)

// BenchmarkStep is what one record costs: of a step under the lock, of one
// outside, and of one more attempt at a step.
func BenchmarkStep(b *testing.B) {
	track := NewRecorder(memory(b, 1), 1).Track(0, false)
	for name, steps := range map[string][2]spec.Step{
		"held":    {spec.TestFirst, spec.CountEnter},
		"outside": {spec.LockInit, spec.LockEnter},
		"again":   {spec.AwaitFlag, spec.AwaitFlag},
	} {
		b.Run("step="+name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				track.Step(steps[i%2], spec.Initial)
			}
		})
	}
	name := "sharedbarrier-trace-bench"
	os.WriteFile("/dev/shm/"+name, make([]byte, spec.Size), 0o600)
	defer os.Remove("/dev/shm/" + name)
	words, err := OpenWords(name, true)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("step=words", func(b *testing.B) {
		for b.Loop() {
			words.Read()
		}
	})
}
