//go:build linux

package goport_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	os.Exit(m.Run())
}

var session = regexp.MustCompile("(?s)<!-- session:(\\w+) -->\n```\n(.*?)```")

// TestGolden_Session plays the sessions of PORTS.md. The go port must answer as
// they say, with any text of an error.
func TestGolden_Session(t *testing.T) {
	page, err := os.ReadFile("../../../spec/PORTS.md")
	if err != nil {
		t.Fatal(err)
	}
	sessions := session.FindAllStringSubmatch(string(page), -1)
	if len(sessions) != 2 {
		t.Fatalf("spec/PORTS.md has %d sessions, want 2", len(sessions))
	}
	for _, match := range sessions {
		t.Run(match[1], func(t *testing.T) {
			_, segment, lockPath := porttest.NewBarrier(t)
			p, err := registry.Start(t.Context(), "go")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			for i, line := range strings.Split(strings.TrimSpace(match[2]), "\n")[1:] { // the first is read
				line = strings.ReplaceAll(line, "open demo /tmp/demo.lock", "open "+segment+" "+lockPath)
				request, is := strings.CutPrefix(line, "> ")
				want := strings.TrimPrefix(line, "< ")
				switch {
				case request == "close":
					if err := p.Close(); err != nil {
						t.Error(err)
					}
				case is:
					if err := p.Send(request); err != nil {
						t.Fatal(err)
					}
				case want != port.Closed:
					got, err := p.Receive()
					if _, failed := port.Failure(got); err != nil || got != want && !(failed && strings.HasPrefix(want, "error ")) {
						t.Fatalf("line %d: got %q, %v, want %q", i+2, got, err, want)
					}
				}
			}
		})
	}
}

// TestProc_Requests sends requests in and out of place, in both modes.
func TestProc_Requests(t *testing.T) {
	for _, c := range []struct{ name, port, session string }{
		{"out of place", "go", "call 1: error|close: error|go: error|giveup: error|dance: error|: error"},
		{"bad arguments", "go", "open: error|open /x /y: error|open no-such-segment-here LOCK: error|open SEGMENT LOCK: opened|call: error|call 0: error|call x: error|call 1: returned|close: closed"},
		{"modes", "go", "splitRMW: error|white: ok|open SEGMENT LOCK: opened|white: error|close: closed"},
		{"black box", "go", "open SEGMENT LOCK: opened|call 1: returned|call 1: returned|open SEGMENT LOCK: error|close: closed"},
		{"white box", "go", "white: ok|open SEGMENT LOCK: opened|call 1: at Call|giveup: error|abandon: error|call 1: error|close: error|go: at LockInit|giveup: withdrawn|call 2: at Call|close: error"},
		{"constructs", "go@construct", "white: ok|open SEGMENT LOCK: at MakeEnter|go: at MakeExit|go: at MakeFlag|go: opened|call 1: at Call"},
		{"constructs unseen", "go@construct", "open SEGMENT LOCK: opened|call 1: returned|close: closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, segment, lockPath := porttest.NewBarrier(t)
			p, err := registry.Start(t.Context(), c.port)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			for _, exchange := range strings.Split(c.session, "|") {
				request, want, _ := strings.Cut(exchange, ": ")
				if exchange == ": error" {
					request, want = "", "error"
				}
				request = strings.ReplaceAll(strings.Replace(request, "SEGMENT", segment, 1), "LOCK", lockPath)
				got, err := p.Ask(request)
				if _, failed := port.Failure(got); failed {
					got = "error"
				}
				if err != nil || got != want {
					t.Fatalf("%q: %q, %v; want %q", request, got, err, want)
				}
			}
		})
	}
}

// TestHazard_GiveUpMeetsNoOtherCall: the context of a call may end as the call
// returns. The next call, whose context does not end, returns all the same.
func TestHazard_GiveUpMeetsNoOtherCall(t *testing.T) {
	_, segment, lockPath := porttest.NewBarrier(t)
	p, err := registry.Start(t.Context(), "go")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if err := p.Open(segment, lockPath); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Duration(i%200) * 500 * time.Nanosecond)
			cancel()
		}()
		if err := p.Wait(ctx, 1); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := p.Wait(t.Context(), 1); err != nil {
			t.Fatalf("the call after one whose context ended: %v", err)
		}
		cancel()
	}
}
