//go:build linux

package trace

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// columns is for how many workers a table has a column each.
const columns = 8

// Text writes the records as a table, the oldest first, with a column for each
// worker, or with one for all if there are many.
func (r Recording) Text(out io.Writer) error {
	var b bytes.Buffer
	workers := r.workers()
	if len(workers) == 0 {
		fmt.Fprintln(&b, "No worker has recorded a step.")
	} else {
		fmt.Fprintln(&b, "Steps under the lock are numbered in their order, and have the words that they found.")
		fmt.Fprintln(&b, "Any other step falls between two of them. ×: attempts; ?: about to be taken; ms: before now.")
		fmt.Fprintln(&b)
	}
	var rows bytes.Buffer
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	write := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) }
	for i, record := range r.Records {
		if i == 0 {
			head := []string{"#", "ms", "worker", "step"}
			if len(workers) <= columns {
				head = head[:2]
				for _, w := range workers {
					head = append(head, fmt.Sprintf("worker %d", w))
				}
			}
			write(append(head, "enter", "exit", "flag")...)
		}
		number := ""
		if record.Words != nil {
			number = fmt.Sprint(record.Number)
		}
		row := []string{number, fmt.Sprintf("%.3f", float64(record.At-r.Now)/1e6)}
		if len(workers) <= columns {
			steps := make([]string, len(workers))
			steps[slices.Index(workers, record.Worker)] = record.String()
			row = append(row, steps...)
		} else {
			row = append(row, fmt.Sprint(record.Worker), record.String())
		}
		if w := record.Words; w != nil {
			row = append(row, fmt.Sprint(w.Enter), fmt.Sprint(w.Exit), fmt.Sprint(w.Flag))
		} else {
			row = append(row, "", "", "")
		}
		write(row...)
	}
	table.Flush()
	for line := range strings.Lines(rows.String()) {
		fmt.Fprintln(&b, strings.TrimRight(line, " \n"))
	}
	if r.Torn > 0 {
		fmt.Fprintf(&b, "\nTorn: %d. A worker was writing its record.\n", r.Torn)
	}
	_, err := out.Write(b.Bytes())
	return err
}

// String returns the step with the number of attempts, and a question mark if
// it may not have been taken.
func (r Record) String() string {
	text := r.Label
	if r.Attempts > 1 {
		text += fmt.Sprintf(" ×%d", r.Attempts)
	}
	if _, isStep := r.Step(); isStep && !r.Taken {
		text += " ?"
	}
	return text
}

// workers lists the workers that have records.
func (r Recording) workers() (list []int) {
	for _, record := range r.Records {
		list = append(list, record.Worker)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Tail returns the last n records: of each worker that is wanted its last
// three, if there is room, and the last ones of all.
func (r Recording) Tail(n int, wanted []int) Recording {
	keep := map[int]bool{} // by index
	for back := 1; back <= 3; back++ {
		for _, w := range wanted {
			if i := r.last(w, back); i >= 0 && len(keep) < n {
				keep[i] = true
			}
		}
	}
	for i := len(r.Records) - 1; i >= 0 && len(keep) < n; i-- {
		keep[i] = true
	}
	tail := r
	tail.Records = nil
	for i, record := range r.Records {
		if keep[i] {
			tail.Records = append(tail.Records, record)
		}
	}
	return tail
}

// last returns the index of the record that is so many from the end of those of
// the worker, the last one being 1; -1: there is none.
func (r Recording) last(worker, back int) int {
	for i := len(r.Records) - 1; i >= 0; i-- {
		if r.Records[i].Worker == worker {
			if back--; back == 0 {
				return i
			}
		}
	}
	return -1
}
