package lockstep

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// A listener is a rapid.TB that hears of a failure instead of failing.
type listener struct {
	rapid.TB
	name   string
	text   strings.Builder
	failed bool
}

type failNow struct{}

func (l *listener) run(check func()) {
	defer func() {
		if p := recover(); p != nil && p != (failNow{}) {
			panic(p)
		}
	}()
	check()
}

func (l *listener) Helper()                           {}
func (l *listener) Name() string                      { return l.name }
func (l *listener) Logf(format string, args ...any)   { fmt.Fprintf(&l.text, format+"\n", args...) }
func (l *listener) Log(args ...any)                   { fmt.Fprintln(&l.text, args...) }
func (l *listener) Errorf(format string, args ...any) { l.Logf(format, args...); l.failed = true }
func (l *listener) Error(args ...any)                 { l.Log(args...); l.failed = true }
func (l *listener) Fatalf(format string, args ...any) { l.Errorf(format, args...); l.FailNow() }
func (l *listener) Fatal(args ...any)                 { l.Error(args...); l.FailNow() }
func (l *listener) Fail()                             { l.failed = true }
func (l *listener) FailNow()                          { l.failed = true; panic(failNow{}) }
func (l *listener) Failed() bool                      { return l.failed }
