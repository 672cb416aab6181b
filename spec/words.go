package spec

import (
	"fmt"
	"time"
)

// Size is the exact size of the segment in bytes: three words, no header, no
// fourth word.
const Size = 12

// Tick is the longest time a waiter may sleep without looking at the words:
// a peer may change them without waking anyone (PROTOCOL.md, Waiting).
const Tick = 7 * time.Millisecond

// NotSet is the value of the exit word when nobody is leaving and the party
// count of the coming round is not known yet.
const NotSet int32 = -1

// The two values of the flag word. Readers treat every nonzero value as up.
const (
	Down int32 = 0
	Up   int32 = 1
)

// A Word names one of the three native-endian int32 of the segment.
type Word uint8

// The words, in the order in which they lie in the segment.
const (
	Enter Word = iota
	Exit
	Flag
)

// AllWords lists every word in the order of its offset.
var AllWords = []Word{Enter, Exit, Flag}

type wordRow struct {
	name    string
	offset  int
	initial int32
	meaning string
}

var words = [...]wordRow{
	Enter: {"enter", 0, 0, "how many have entered this round"},
	Exit:  {"exit", 4, NotSet, "how many have left; −1: nobody is leaving, the party count is not set yet"},
	Flag:  {"flag", 8, Up, "nonzero: go"},
}

// String returns the word's name: enter, exit or flag.
func (w Word) String() string {
	if int(w) >= len(words) {
		return fmt.Sprintf("Word(%d)", uint8(w))
	}
	return words[w].name
}

// Offset returns the word's distance from the start of the segment in bytes.
func (w Word) Offset() int { return words[w].offset }

// Initial returns the value that construction gives the word.
func (w Word) Initial() int32 { return words[w].initial }

// Doc says in one line what the word counts.
func (w Word) Doc() string { return words[w].meaning }

// Words is a snapshot of the three words.
type Words struct {
	Enter int32 `json:"enter"`
	Exit  int32 `json:"exit"`
	Flag  int32 `json:"flag"`
}

// Initial is the snapshot that construction leaves behind.
var Initial = Words{Enter: 0, Exit: NotSet, Flag: Up}

// String returns the words as they are printed in traces and reports.
func (w Words) String() string {
	return fmt.Sprintf("enter=%d exit=%d flag=%d", w.Enter, w.Exit, w.Flag)
}
