//go:build linux

// Package vectors makes and plays the test vectors of spec/vectors (see
// spec/PORTS.md, section 5): what a runner asks of white-box ports, and what they
// must answer, with the words and the holder of the lock after each answer.
//
//	go test ./stress/vectors -update    # writes the files
//
// The vectors come from the model. Playing them needs no model, and no Go.
package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

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
	Start []string `json:"start"` // by process: Call, or MakeEnter of one that is in its construction
	Shows []string `json:"shows"` // properties that the end refutes; empty: all is as in the beginning
	Moves []int    `json:"moves"` // indexes into File.Moves
}

// A Move is one request and its answer. In JSON it is an array.
type Move struct {
	Proc    int        // -1: the runner itself
	Request string     // to the port of Proc; or lockstep.Kill, lockstep.Relink: for the runner to do
	Answer  string     // empty where nobody answers
	Words   spec.Words // after it
	Holder  int        // process that holds the lock after it; -1: nobody
}

var columns = []string{"proc", "request", "answer", "enter", "exit", "flag", "holder"}

// MarshalJSON returns the move as an array in the order of columns.
func (m Move) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{m.Proc, m.Request, m.Answer, m.Words.Enter, m.Words.Exit, m.Words.Flag, m.Holder})
}

// UnmarshalJSON accepts what MarshalJSON returns.
func (m *Move) UnmarshalJSON(text []byte) error {
	fields := []any{&m.Proc, &m.Request, &m.Answer, &m.Words.Enter, &m.Words.Exit, &m.Words.Flag, &m.Holder}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if len(fields) != len(columns) {
		return fmt.Errorf("vectors: a move of %d columns, want %v", len(fields), columns)
	}
	return nil
}

// Encode writes the file: one move a line, one schedule a line, always the same
// bytes for the same file.
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
		panic(err) // a programmer's mistake: all of File can be marshalled
	}
	return text
}

func comma(i, n int) string {
	if i == n-1 {
		return ""
	}
	return ","
}

// Decode reads a file, and checks that its indexes exist.
func Decode(in io.Reader) (f File, err error) {
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return f, fmt.Errorf("vectors: %w", err)
	}
	if f.Version != Version {
		return f, fmt.Errorf("vectors: version %d, want %d", f.Version, Version)
	}
	for _, s := range f.Schedules {
		for _, i := range s.Moves {
			if i < 0 || i >= len(f.Moves) || f.Moves[i].Proc >= s.Procs {
				return f, fmt.Errorf("vectors: schedule %q has no move %d", s.Name, i)
			}
		}
	}
	return f, nil
}
