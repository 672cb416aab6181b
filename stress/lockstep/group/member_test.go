//go:build linux

// Package group runs real members of a group (spec/GROUP.md) in lockstep with
// the machine of package model/group: a member that dies is a process that is
// killed by SIGKILL, and one that joins is a new process.
package group

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"member": runMember}) }

// The threads of a member, as in the machine's Action.
const (
	caller = iota
	guardian
)

// A member is the process of one. Its stdin has requests, one a line:
//
//	join NAME LOCKPATH PARTIES RANK   wait   reset   leave: begin the call
//	cancel   end the context of the call
//	go THREAD   let the thread take the step that it has announced
//	free   let both threads take all steps, unannounced
//	hold   announce steps again; the answer is "0 = held"
//
// Its stdout has a line "THREAD STEP" before each step, and "0 = RESULT" after
// each call.
type member struct {
	group  *group.Group
	cancel context.CancelFunc
	free   atomic.Pointer[chan struct{}] // closed while all steps are free
	gates  [2]chan struct{}
	mu     sync.Mutex // of stdout
}

func runMember() {
	m := &member{gates: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
	m.hold()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		m.request(strings.Fields(in.Text()))
	}
}

func (m *member) request(words []string) {
	switch words[0] {
	case "join":
		parties, _ := strconv.Atoi(words[3])
		rank, _ := strconv.Atoi(words[4])
		m.begin(func(ctx context.Context) (err error) {
			m.group, err = group.Join(ctx, group.Config{Name: words[1], LockPath: words[2], Parties: parties, Rank: rank, Hook: m.hook})
			return err
		})
	case "wait":
		m.begin(m.group.Wait)
	case "reset":
		m.begin(func(context.Context) error { return m.group.Reset() })
	case "leave":
		m.begin(func(context.Context) error { return m.group.Leave() })
	case "cancel":
		m.cancel()
	case "go":
		thread, _ := strconv.Atoi(words[1])
		m.gates[thread] <- struct{}{}
	case "free":
		close(*m.free.Load())
	case "hold":
		m.hold()
		m.say(caller, "= held")
	}
}

func (m *member) begin(call func(context.Context) error) {
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() { m.say(caller, "= "+result(call(ctx))) }()
}

func (m *member) hold() {
	free := make(chan struct{})
	m.free.Store(&free)
}

// hook announces the step and blocks until it may be taken.
func (m *member) hook(guards bool, step spec.MemberStep) {
	thread, free := caller, *m.free.Load()
	if guards {
		thread = guardian
	}
	select {
	case <-free:
		return
	default:
	}
	m.say(thread, step.String())
	select {
	case <-m.gates[thread]:
	case <-free:
	}
}

func (m *member) say(thread int, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Println(thread, text)
}

// result is what the driver compares of how a call has ended.
func result(err error) string {
	var broken *group.BrokenError
	var missing *group.MissingError
	switch {
	case errors.As(err, &broken):
		return fmt.Sprintf("broken: rank %d died at %v", broken.Rank, broken.Step)
	case errors.As(err, &missing) && errors.Is(err, context.Canceled):
		return "withdrawn"
	case err != nil:
		return err.Error()
	}
	return "nil"
}
