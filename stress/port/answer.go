//go:build linux

package port

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
)

// The answers of a port, besides At and one that Failure takes apart.
const (
	OK        = "ok"        // the mode is set
	Opened    = "opened"    // the handle is made
	Returned  = "returned"  // the call has returned: the round is complete
	Withdrawn = "withdrawn" // the call has withdrawn
	Abandoned = "abandoned" // the call has left its wait without withdrawing
	Closed    = "closed"    // the handle is closed
)

// The beginnings of the other answers.
const (
	at     = "at "
	failed = "error "
)

// At is the answer that announces step s.
func At(s spec.Step) string { return at + s.String() }

// Announced returns the step that answer announces, and whether it announces
// one.
func Announced(answer string) (s spec.Step, does bool) {
	label, does := strings.CutPrefix(answer, at)
	if !does {
		return s, false
	}
	s, err := spec.ParseStep(label)
	return s, err == nil
}

// Failure reports whether answer says that the request has failed, and returns
// its text.
func Failure(answer string) (text string, isFailure bool) {
	return strings.CutPrefix(answer, failed)
}

// checkAnswer returns an error unless line is one of the answers.
func checkAnswer(line string) error {
	if label, is := strings.CutPrefix(line, at); is {
		if _, err := spec.ParseStep(label); err != nil {
			return fmt.Errorf("no step is labelled %q", label)
		}
		return nil
	}
	if _, is := Failure(line); is || slices.Contains([]string{OK, Opened, Returned, Withdrawn, Abandoned, Closed}, line) {
		return nil
	}
	return errors.New("it is no answer of spec/PORTS.md")
}

// Capabilities are what a port says in its first line that it can do.
type Capabilities struct {
	White    bool // announce each step and wait for the request to go on
	Withdraw bool // withdraw a call
	Abandon  bool // leave a wait without withdrawing
	SplitRMW bool // announce the read and the write of a counting step separately
}

// parseHello parses the first line of a port.
func parseHello(line string) (c Capabilities, err error) {
	words := strings.Split(line, " ")
	if len(words) < 2 || words[0] != "port" {
		return c, errors.New(`want "port 1" and what the port can do`)
	}
	if words[1] != "1" {
		return c, fmt.Errorf("version %q of the port protocol is not known, only 1", words[1])
	}
	known := map[string]*bool{"white": &c.White, "withdraw": &c.Withdraw, "abandon": &c.Abandon, "splitRMW": &c.SplitRMW}
	for _, word := range words[2:] {
		switch can := known[word]; {
		case can == nil:
			return c, fmt.Errorf("no capability is called %q", word)
		case *can:
			return c, fmt.Errorf("capability %q is there twice", word)
		default:
			*can = true
		}
	}
	return c, nil
}
