package timeline

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sharedbarrier/spec"
)

const (
	textWidth = 80 // of a terminal; a line has more only with many lanes or a note
	mostRows  = 60 // of a text
)

// The marks of a lane in a row in which something happens in another one. The
// first that applies is shown.
var marks = []struct {
	kind       Kind
	mark, name string
}{
	{Dead, "x", "dead"}, {Lock, "|", "holds the lock"}, {Wait, ".", "waits"},
}

// Text returns a timeline by Order as lines: a column for each lane, with a step
// or an event a line, and at the right the words where they change. If the lines
// are many, a line has all steps that a process takes in a row, and then only
// the last lines are there.
func (t Timeline) Text() string {
	if len(t.Lanes) == 0 {
		return ""
	}
	rows := t.rows()
	if len(rows) > mostRows {
		rows = folded(rows)
	}
	before := t.wordsAt(0)
	var b strings.Builder
	if cut := len(rows) - mostRows; cut > 0 {
		before = t.wordsAt(rows[cut].from - 1)
		fmt.Fprintf(&b, "(steps 1 to %d are left out)\n", rows[cut].from-1)
		rows = rows[cut:]
	}
	form := t.newForm(rows)
	fmt.Fprintln(&b, form.head(t.Lanes))
	first := spec.Words{Enter: before.Enter - 1, Exit: before.Exit - 1, Flag: before.Flag - 1} // all are shown
	fmt.Fprintln(&b, form.line("", nil, values(first, before, false), ""))
	used := map[string]bool{}
	for _, r := range rows {
		cells := make([]string, len(t.Lanes))
		for i := range t.Lanes {
			if i == r.lane {
				cells[i] = r.label
				continue
			}
			cells[i] = t.Lanes[i].markAt(r.from, r.to)
			used[cells[i]] = true
		}
		after := t.wordsAt(r.to)
		fmt.Fprintln(&b, form.line(r.number(), cells, values(before, after, true), r.note))
		before = after
	}
	b.WriteString(t.ending())
	for _, m := range marks {
		if used[m.mark] {
			fmt.Fprintf(&b, "%s %s  ", m.mark, m.name)
		}
	}
	return strings.TrimRight(b.String(), " \n") + "\n"
}

// A row is a step or event, or the steps that one lane takes in a row.
type row struct {
	lane        int
	from, to    int64
	label, note string
	folds       bool // it may stand in the row of the step before
}

func (r row) number() string {
	if r.from == r.to {
		return fmt.Sprint(r.from)
	}
	return fmt.Sprintf("%d-%d", r.from, r.to)
}

// rows returns what happens, by place.
func (t Timeline) rows() (rows []row) {
	for lane, l := range t.Lanes {
		for _, item := range l.Items {
			if item.Kind.happens() {
				folds := item.Kind == Step && !strings.Contains(item.Label, "(") && item.Note == "" && !item.Wrong
				rows = append(rows, row{lane, item.From, item.To, item.Label, item.Note, folds})
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return int(a.from - b.from) })
	return rows
}

// folded returns the rows with the steps that one lane takes in a row as one.
// A call, an event and what has a note begin rows of their own.
func folded(rows []row) (list []row) {
	for _, r := range rows {
		if last := len(list) - 1; last >= 0 && r.folds && list[last].lane == r.lane && list[last].note == "" {
			first, _, _ := strings.Cut(list[last].label, " ")
			list[last].label, list[last].to = first+" … "+r.label, r.to
			continue
		}
		list = append(list, r)
	}
	return list
}

// markAt returns the mark of the lane from one place to another.
func (l Lane) markAt(from, to int64) string {
	for _, m := range marks {
		for _, item := range l.Items {
			if item.Kind == m.kind && item.From <= from && item.To >= to {
				return m.mark
			}
		}
	}
	return ""
}

// wordsAt returns the words after the step at the place.
func (t Timeline) wordsAt(place int64) (w spec.Words) {
	for _, c := range t.Words {
		if c.At <= place {
			w = c.Words
		}
	}
	return w
}

// values returns the words that differ, each as text, with the value before.
func values(before, after spec.Words, arrow bool) []string {
	text := func(old, now int32) string {
		switch {
		case old == now:
			return ""
		case arrow:
			return fmt.Sprintf("%d→%d", old, now)
		}
		return fmt.Sprint(now)
	}
	return []string{text(before.Enter, after.Enter), text(before.Exit, after.Exit), text(before.Flag, after.Flag)}
}

// ending says how a timeline goes on after its last step: the loop, or who waits
// without end.
func (t Timeline) ending() string {
	var b strings.Builder
	if t.Loop > 0 {
		fmt.Fprintf(&b, "and again from %d on, without end\n", t.Loop)
	}
	for _, l := range t.Lanes {
		for _, item := range l.Items {
			if item.Kind == Wait && item.Wrong {
				fmt.Fprintf(&b, "%s stays at %s: it %s\n", l.Name, item.Label, item.Doc)
			}
		}
	}
	return b.String()
}

// A form has the places of the columns.
type form struct {
	number int // width of the numbers
	pitch  int // from one lane to the next
	words  int // where the words begin
}

// newForm makes the columns as wide as the labels if there is room. A label may
// lie over the columns at its right, as a line has only one.
func (t Timeline) newForm(rows []row) form {
	f := form{number: 1}
	names, longest := 0, utf8.RuneCountInString(t.Lanes[len(t.Lanes)-1].Name)
	for _, r := range rows {
		f.number = max(f.number, len(r.number()))
		longest = max(longest, utf8.RuneCountInString(r.label))
	}
	for _, l := range t.Lanes {
		names = max(names, utf8.RuneCountInString(l.Name))
	}
	others := len(t.Lanes) - 1
	f.pitch = longest + 2
	if others > 0 {
		room := textWidth - (f.number + 2) - (longest + 2) - len("enter  exit  flag ")
		f.pitch = max(names+1, min(f.pitch, room/others))
	}
	f.words = f.number + 2 + others*f.pitch + longest + 2
	return f
}

func (f form) head(lanes []Lane) string {
	var names []string
	for _, l := range lanes {
		names = append(names, l.Name)
	}
	return f.line("#", names, []string{"enter", "exit", "flag"}, "")
}

// line returns a line without spaces at its end. A cell that is not empty hides
// what lies under it.
func (f form) line(number string, cells, words []string, note string) string {
	line := []rune(strings.Repeat(" ", f.words+len("enter  exit  flag  ")))
	put := func(at int, text string) { copy(line[at:], []rune(text)) }
	put(f.number-len(number), number)
	for i, text := range cells {
		if len([]rune(text)) == 1 {
			put(f.number+2+i*f.pitch, text)
		}
	}
	for i, text := range cells {
		if len([]rune(text)) > 1 {
			put(f.number+2+i*f.pitch, text)
		}
	}
	put(f.words, words[0])
	put(f.words+len("enter  "), words[1])
	put(f.words+len("enter  exit  "), words[2])
	return strings.TrimRight(string(line)+note, " ")
}
