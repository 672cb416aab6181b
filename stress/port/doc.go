//go:build linux

// Package port runs ports: programs that offer an implementation of the
// barrier, in any language, and talk to a runner in lines of text
// (spec/PROTOCOL.md, section 14). This package is the runner's side of one such
// process.
//
//	p, err := port.Start(ctx, "go")
//	defer p.Kill()
//	p.Ask("white")                // ok: announce each step from now on
//	p.Ask("open NAME LOCKPATH")   // opened
//	p.Ask("call 2")               // at Call
//	p.Ask("go")                   // at LockInit
//
// A port may be wrong in any way. Whatever it does, no method blocks longer
// than Limit, or than the context of Start lasts (save Wait, which blocks until the
// call has returned, or Kill or that context ends it), and an *Error says what was wrong, with the number and the text of the
// line. After an error the port is of no further use but to be killed.
package port
