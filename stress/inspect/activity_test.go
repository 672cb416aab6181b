//go:build linux

package inspect

import (
	"testing"
	"time"
)

// TestUnit_Activity: what one thread of a process did in two seconds says what
// the process does.
func TestUnit_Activity(t *testing.T) {
	const elapsed = 2 * time.Second
	for _, c := range []struct {
		what          string
		state         string // of the thread
		process       string // of the process
		was           string // the state of the process before
		sleeps        uint64
		ran, delayed  time.Duration
		late          time.Duration // by which this process was late
		waits, absent bool
		want          Activity
	}{
		{what: "sleeps for a tick", state: "S", sleeps: 280, ran: 20 * time.Millisecond, want: Polls},
		{what: "sleeps for a tick where others use the processors", state: "S", sleeps: 60, delayed: 1500 * time.Millisecond, want: Polls},
		{what: "sleeps for a tick where timers are late", state: "S", sleeps: 60, late: 14 * time.Millisecond, want: Polls},
		{what: "sleeps for 50 ms", state: "S", sleeps: 40, want: Naps},
		{what: "sleeps", state: "S", sleeps: 1, want: Quiet},
		{what: "sleeps in the disk", state: "D", want: Quiet},
		{what: "computes", state: "R", ran: 1900 * time.Millisecond, want: Runs},
		{what: "computes where others use the processors", state: "R", ran: 400 * time.Millisecond, delayed: 1500 * time.Millisecond, want: Runs},
		{what: "gets no processor", state: "R", want: Starved},
		{what: "has hardly got a processor", state: "S", sleeps: 1, ran: time.Millisecond, delayed: 1900 * time.Millisecond, want: Starved},
		{what: "has slept, and gets no processor", state: "R", sleeps: 2, ran: time.Millisecond, delayed: 40 * time.Millisecond, want: Starved},
		{what: "is stopped", state: "T", process: "T", want: Stopped},
		{what: "is traced", state: "t", process: "t", want: Stopped},
		{what: "was stopped, and has just been continued", state: "S", was: "T", sleeps: 1, want: Starved},
		{what: "was stopped, and has slept for a tick since then", state: "S", was: "T", sleeps: 280, want: Polls},
		{what: "is a zombie", state: "Z", process: "Z", want: Gone},
		{what: "is gone", absent: true, want: Gone},
		{what: "blocks in flock", state: "S", waits: true, want: Blocked},
	} {
		before := &Process{PID: 1, State: c.was, at: time.Unix(0, 0), threads: map[int]thread{1: {state: "S"}}}
		after := &Process{PID: 1, State: c.process, Waits: c.waits, at: time.Unix(0, 0).Add(elapsed), threads: map[int]thread{
			1: {state: c.state, voluntary: c.sleeps, ran: uint64(c.ran), delayed: uint64(c.delayed)},
			2: {state: "S", voluntary: 1000}, // has just begun
		}}
		if c.absent {
			after = nil
		}
		if got, _ := activity(before, after, c.late); got != c.want {
			t.Errorf("a process that %s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestUnit_Pressed: a process is pressed if it has waited for a processor for most
// of the time, and still does.
func TestUnit_Pressed(t *testing.T) {
	for _, c := range []struct {
		state   string
		delayed time.Duration
		want    bool
	}{{"R", 1900 * time.Millisecond, true}, {"R", 100 * time.Millisecond, false}, {"S", 1900 * time.Millisecond, false}} {
		at := time.Unix(0, 0)
		v := &seen{
			first: &Look{Processes: []Process{{PID: 1, Maps: true, at: at, threads: map[int]thread{1: {}}}}},
			last:  &Look{Processes: []Process{{PID: 1, Maps: true, at: at.Add(2 * time.Second), threads: map[int]thread{1: {state: c.state, delayed: uint64(c.delayed)}}}}},
		}
		if got := v.pressed(); got != c.want {
			t.Errorf("a thread in %s that was delayed by %v of 2 s: got %v, want %v", c.state, c.delayed, got, c.want)
		}
	}
}
