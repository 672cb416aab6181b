package spec_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	. "sharedbarrier/spec"
)

func TestUnit_ParseReturnsEveryName(t *testing.T) {
	roundTrip(t, AllSteps, ParseStep)
	roundTrip(t, AllEvents, ParseEvent)
	roundTrip(t, AllProperties, ParseProperty)
	roundTrip(t, AllScenarios, ParseScenario)
}

func roundTrip[T interface {
	comparable
	fmt.Stringer
}](t *testing.T, all []T, parse func(string) (T, error)) {
	t.Helper()
	for _, v := range all {
		if got, err := parse(v.String()); err != nil || got != v {
			t.Errorf("parse %q = %v, %v; want %v", v.String(), got, err, v)
		}
	}
	for _, name := range []string{"", "call", "Lock", "Reuse"} {
		if got, err := parse(name); err == nil {
			t.Errorf("parse %q = %v, want an error", name, got)
		}
	}
}

func TestUnit_StepIsItsLabelInText(t *testing.T) {
	var s Step
	if err := s.UnmarshalText([]byte("RaiseFlag")); err != nil || s != RaiseFlag {
		t.Errorf("UnmarshalText(RaiseFlag) = %v, step %v", err, s)
	}
	if err := s.UnmarshalText([]byte("nonsense")); err == nil || s != RaiseFlag {
		t.Errorf("UnmarshalText(nonsense) = %v, step %v; want an error and RaiseFlag kept", err, s)
	}
	if text, err := Step(255).MarshalText(); err == nil {
		t.Errorf("Step(255).MarshalText() = %q, want an error", text)
	}
}

// TestUnit_StepsKeepLockDiscipline: only a process with the lock accesses a
// word, except for construction and the two polls (PROTOCOL.md, section 3).
func TestUnit_StepsKeepLockDiscipline(t *testing.T) {
	for _, s := range AllSteps {
		if len(s.Writes()) > 0 && s.Lock() != Held && !slices.Contains(ConstructionSteps, s) {
			t.Errorf("%v writes %v with lock %v", s, s.Writes(), s.Lock())
		}
		if len(s.Reads()) > 0 && s.Lock() != Held && s != AwaitDrain && s != AwaitFlag {
			t.Errorf("%v reads %v with lock %v", s, s.Reads(), s.Lock())
		}
	}
}

func TestUnit_ConditionsReadTheirWord(t *testing.T) {
	named := regexp.MustCompile(`^(enter|exit|flag) `)
	for _, s := range AllSteps {
		next := s.Next()
		for i, b := range next {
			last := i == len(next)-1
			if (b.If == "") != last {
				t.Errorf("%v: branch %d of %d has condition %q", s, i+1, len(next), b.If)
			}
			if b.If == "" {
				continue
			}
			m := named.FindStringSubmatch(b.If)
			if m == nil || !slices.ContainsFunc(s.Reads(), func(w Word) bool { return w.String() == m[1] }) {
				t.Errorf("%v: condition %q is not on a word of %v", s, b.If, s.Reads())
			}
		}
	}
}

func TestUnit_WordsFillTheSegment(t *testing.T) {
	for i, w := range AllWords {
		if w.Offset() != 4*i {
			t.Errorf("%v at offset %d, want %d", w, w.Offset(), 4*i)
		}
	}
	if got := 4 * len(AllWords); got != Size {
		t.Errorf("the words are %d bytes, want %d", got, Size)
	}
	want := Words{Enter.Initial(), Exit.Initial(), Flag.Initial()}
	if Initial != want {
		t.Errorf("Initial = %v, want %v", Initial, want)
	}
}

func TestUnit_ExitCode(t *testing.T) {
	for _, c := range []struct {
		verdict  Verdict
		property Property
		want     int
	}{
		{Verified, 0, 0},
		{Passed, 0, 0},
		{Hang, NoHang, 11},
		{Violated, NoEarlyExit, 12},
		{Violated, Quiescent, 12},
		{Violated, NoHang, 13},
		{Unfinished, 0, 75},
		{Verdict("nonsense"), 0, 75},
	} {
		if got := ExitCode(c.verdict, c.property); got != c.want {
			t.Errorf("ExitCode(%v, %v) = %d, want %d", c.verdict, c.property, got, c.want)
		}
	}
}
