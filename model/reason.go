package model

import (
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// Reason says in s why process p cannot take its step, such as "waits until
// flag ≠ 0; flag is 0". It is empty if the process can.
func Reason(cfg Config, s State, p int) string {
	step := s.Step(p)
	switch {
	case s.canStep(&cfg, p):
		return ""
	case !s.Alive(p):
		return "is dead"
	case step == spec.Call && !Rests(cfg, s, p):
		return "does not call yet: " + ControlOf(cfg.Scenario)
	case step == spec.Call:
		return "has made all its calls"
	case step.Lock() == spec.Acquire:
		return fmt.Sprintf("waits for the lock, which p%d holds", s.Holder())
	}
	return fmt.Sprintf("waits until %s; %s", condition(step, s.Parties(p)), valueOf(step.Reads()[0], s.words))
}

// condition returns what the poll waits for, with the party count for n.
func condition(step spec.Step, n int) string {
	return strings.ReplaceAll(step.Next()[0].If, "= n", fmt.Sprintf("= %d", n))
}

// valueOf returns a word and its value, with a true minus sign.
func valueOf(word spec.Word, w spec.Words) string {
	value := []int32{spec.Enter: w.Enter, spec.Exit: w.Exit, spec.Flag: w.Flag}[word]
	return strings.ReplaceAll(fmt.Sprintf("%v is %d", word, value), "-", "−")
}
