//go:build linux

package conformance

import (
	"strings"
	"testing"
)

// TestUnit_Clauses: each clause of a check exists, and its text is its own. One
// that does not exist has no text.
func TestUnit_Clauses(t *testing.T) {
	texts := map[string]Clause{}
	for _, check := range Checks {
		if len(check.Clauses) == 0 {
			t.Errorf("check %q stands for no clause", check.Name)
		}
		for _, c := range check.Clauses {
			var read Clause
			if err := read.UnmarshalText([]byte(c.String())); err != nil || read != c {
				t.Errorf("UnmarshalText(%q): got %v, %v; want %v", c, read, err, c)
			}
			if other, known := texts[c.Text()]; c.Text() == "" || known && other != c {
				t.Errorf("check %q: the text of %v is %q, that of %v too", check.Name, c, c.Text(), other)
			}
			texts[c.Text()] = c
		}
	}
	for c, want := range map[Clause][2]string{
		protocol(3, 2): {"2. To *acquire* the lock", "*Attempts*: their number has no limit."},
		protocol(3, 8): {"8. Between an acquire", "does nothing that can block."},
		protocol(8):    {"A waiter at a poll may spin", "No wake-up is necessary for correctness."},
	} {
		if text := c.Text(); !strings.HasPrefix(text, want[0]) || !strings.HasSuffix(text, want[1]) {
			t.Errorf("the text of %v is %q, want %q to %q", c, text, want[0], want[1])
		}
	}
	for _, c := range []Clause{protocol(3, 10), protocol(11), {"NONE.md", 1, 0}} {
		if text := c.Text(); text != "" {
			t.Errorf("the text of %v is %q, want none", c, text)
		}
	}
	if err := new(Clause).UnmarshalText([]byte("PROTOCOL.md, number 3")); err == nil {
		t.Error("UnmarshalText takes a clause without a section")
	}
}
