package spec

import (
	"fmt"
	"time"
)

// Size is the exact size of the segment in bytes.
const Size = 12

// Tick is the longest time for which a waiter may sleep before it reads its
// word again, since a peer may change the word without a wake-up (PROTOCOL.md,
// section 8).
const Tick = 7 * time.Millisecond

// NotSet is the value of the exit word when no process is leaving and no caller
// has set the party count of the coming round.
const NotSet int32 = -1

// The values of the flag word. A reader takes every nonzero value for Up.
const (
	Down int32 = 0
	Up   int32 = 1
)

// A Word is one of the three native-endian int32 of the segment.
type Word uint8

// The words, in the order of the segment.
const (
	Enter Word = iota
	Exit
	Flag
)

// AllWords lists every word in the order of the segment.
var AllWords = []Word{Enter, Exit, Flag}

var words = [...]struct {
	name    string
	offset  int
	initial int32
	doc     string
}{
	Enter: {"enter", 0, 0, "the number of processes that have entered this round"},
	Exit:  {"exit", 4, NotSet, "the number of processes that have left; n: all have, and the coming round has party count n; −1: the coming round has no party count yet"},
	Flag:  {"flag", 8, Up, "nonzero: waiters at `AwaitFlag` go on"},
}

// String returns the word's name: enter, exit or flag.
func (w Word) String() string {
	if int(w) >= len(words) {
		return fmt.Sprintf("Word(%d)", uint8(w))
	}
	return words[w].name
}

// Offset returns the word's offset in the segment in bytes.
func (w Word) Offset() int { return words[w].offset }

// Initial returns the value that construction gives the word.
func (w Word) Initial() int32 { return words[w].initial }

// Doc says in one line what the word means.
func (w Word) Doc() string { return words[w].doc }

// Words is a snapshot of the three words.
type Words struct {
	Enter int32 `json:"enter"`
	Exit  int32 `json:"exit"`
	Flag  int32 `json:"flag"`
}

// Initial is the snapshot after construction.
var Initial = Words{Enter: 0, Exit: NotSet, Flag: Up}

// String returns the words in the form of traces and reports, such as
// "enter=0 exit=-1 flag=1".
func (w Words) String() string {
	return fmt.Sprintf("enter=%d exit=%d flag=%d", w.Enter, w.Exit, w.Flag)
}
