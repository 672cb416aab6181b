//go:build linux

// Package group_test kills members of package impl/group, which run as
// processes, at chosen steps and at any moment, with the published Python
// original as a party of the same rounds and without.
package group_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"member": func() {
		if err := member(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}, "traced": traced})
}

// An order is what a member reads first. It calls until its input ends, and
// then leaves.
type order struct {
	group.Config
	Death death
}

// A death is where a member kills itself; without a step: nowhere.
type death struct {
	Step      string
	Committed bool // only if its call has committed the round
	After     int  // so many rounds
	Any       bool // in Join, or in either thread
}

func (d death) String() string {
	if d.Committed {
		return d.Step + ", committed"
	}
	return d.Step
}

// An event is a line that a member writes. A line is whole or not there,
// whenever its process is killed.
type event struct {
	What   string // joined, call, nil, broken, ended (the context has), dies, left
	At     int64  // CLOCK_MONOTONIC
	Round  uint64 // of nil, broken
	Broken *group.BrokenError
	Done   bool // of dies: the round was committed
}

func member() error {
	var o order
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil // a spare that was not needed
	}
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		in.ReadByte() // the end
	}()
	say := func(e event) {
		e.At = clock()
		text, err := json.Marshal(e)
		if err == nil {
			_, err = os.Stdout.Write(append(text, '\n'))
		}
		if err != nil {
			panic(err)
		}
	}
	var passed atomic.Int64 // rounds
	die := func(e event) {
		e.What = "dies"
		say(e)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if d := o.Death; d.Any {
		o.Hook = func(_ bool, s spec.MemberStep) {
			if s.String() == d.Step && int(passed.Load()) >= d.After {
				die(event{})
			}
		}
	}
	g, err := group.Join(context.Background(), o.Config)
	if err != nil {
		return err
	}
	committed := false
	g.SetHook(func(s spec.MemberStep) {
		switch s {
		case spec.Begin:
			committed = false
		case spec.Owe, spec.Return: // no round is broken when it dies
			committed = true
		}
		if d := o.Death; s.String() == d.Step && int(passed.Load()) >= d.After && (committed || !d.Committed) {
			die(event{Round: roundOf(g, o.Rank), Done: committed})
		}
	})
	say(event{What: "joined"})
	for ctx.Err() == nil {
		say(event{What: "call"})
		err := g.Wait(ctx)
		var broken *group.BrokenError
		switch {
		case err == nil:
			passed.Add(1)
			say(event{What: "nil", Round: roundOf(g, o.Rank)})
		case errors.As(err, &broken):
			say(event{What: "broken", Round: broken.Round, Broken: broken})
			awaitMended(ctx, g)
		case errors.Is(err, context.Canceled):
			say(event{What: "ended"})
		default:
			return err
		}
	}
	o.Death.Step = "" // Leave has steps, too
	if err := g.Leave(); err != nil {
		return err
	}
	say(event{What: "left"})
	return nil
}

// roundOf returns the round of the member's last call.
func roundOf(g *group.Group, rank int) uint64 {
	s, err := g.Status()
	if err != nil {
		panic(err)
	}
	return s.Ranks[rank].Round
}

// awaitMended waits until the group is not broken.
func awaitMended(ctx context.Context, g *group.Group) {
	for ctx.Err() == nil {
		if s, err := g.Status(); err != nil || !s.Broken {
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func clock() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}
