//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a terminal. The caller closes theirs.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// The program removes the progress bar before it ends.
func TestProc_BarIsRemoved(t *testing.T) {
	for _, args := range [][]string{
		{"--procs", "1", "--rounds", "5"},
		{"lockstep", "--random", "--steps", "5"},
		append([]string{"conformance", "--port", "go"}, without("conversation")...),
		{"bench", "--contender", "plain", "--parties", "2", "--processors", "1", "--repeat", "1", "--for", "1ms", "--stall", "5m"},
	} {
		ours, theirs := openTerminal(t)
		p := newCommand(t, args...)
		p.Stderr = theirs
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		drawn, _ := io.ReadAll(ours) // fails when no process has the other end any more
		p.exitCode(t)
		lines := strings.FieldsFunc(string(drawn), func(r rune) bool { return r == '\r' || r == '\n' })
		if len(lines) == 0 || strings.TrimSpace(lines[len(lines)-1]) != "" {
			t.Errorf("stress %q: the terminal has %q, want a bar, and blanks over it at the end", args, drawn)
		}
	}
}
