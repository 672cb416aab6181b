//go:build linux

// Package vectors makes the test vectors of spec/vectors from the model: what a
// runner requests of white-box ports along schedules, and what they must
// answer, with the words and the holder of the lock after each answer.
// spec/PORTS.md has the format; play.py plays the files.
//
//	go test ./stress/vectors -update    # writes the files
package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sharedbarrier/spec"
)

// Version is the version of the files.
const Version = 2

// A File is one file of vectors. Schedules list their moves by index.
type File struct {
	Version   int        `json:"version"`
	Scenario  string     `json:"scenario"` // name of a spec.Scenario
	Columns   []string   `json:"columns"`  // of Moves
	Moves     []Move     `json:"moves"`
	Schedules []Schedule `json:"schedules"`
}

// A Schedule is one run, from spec.Initial on.
type Schedule struct {
	Name  string   `json:"name"`
	Procs int      `json:"procs"`
	Needs []string `json:"needs"` // capabilities of the ports
	Start []string `json:"start"` // by process: its step, Call or MakeEnter
	Shows []string `json:"shows"` // properties that the last state violates; empty: all is as in the beginning
	Moves []int    `json:"moves"` // indexes into File.Moves
}

// A Move is one request and its answer. In JSON it is an array.
type Move struct {
	Proc    int        // -1: the runner
	Request string     // to the port; lockstep.Kill and lockstep.Relink are for the runner
	Answer  string     // empty: there is none
	Words   spec.Words // after it
	Holder  int        // process that holds the lock after it; -1: none
}

var columns = []string{"proc", "request", "answer", "enter", "exit", "flag", "holder"}

// MarshalJSON returns the move as an array in the order of columns.
func (m Move) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{m.Proc, m.Request, m.Answer, m.Words.Enter, m.Words.Exit, m.Words.Flag, m.Holder})
}

// Encode returns the file as JSON, one move a line and one schedule a line.
// Equal files have equal bytes.
func (f File) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"version\":%d,\"scenario\":%s,\"columns\":%s,\n\"moves\":[\n", f.Version, compact(f.Scenario), compact(f.Columns))
	for i, m := range f.Moves {
		fmt.Fprintf(&b, "%s%s\n", compact(m), comma(i, len(f.Moves)))
	}
	b.WriteString("],\n\"schedules\":[\n")
	for i, s := range f.Schedules {
		fmt.Fprintf(&b, "%s%s\n", compact(s), comma(i, len(f.Schedules)))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

func compact(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // every part of File can be marshalled
	}
	return text
}

func comma(i, n int) string {
	if i == n-1 {
		return ""
	}
	return ","
}
