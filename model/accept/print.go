package accept

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model"
)

// MarshalJSON prints the form that both commands validate have.
func (r Rejection) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Line   int              `json:"line"` // the lines up to it are the shortest trace that is wrong
		Proc   int              `json:"proc"`
		Label  string           `json:"label"`
		Number int64            `json:"number"`
		Part   Part             `json:"part"` // of the event that contradicts
		Why    string           `json:"why"`
		States []model.Snapshot `json:"states"` // that were possible before the event
		Could  []string         `json:"could"`  // by process: what it could do in the first of these states
	}{r.Line, r.Event.Proc, r.Event.Label, r.Event.Number, r.Part, r.Why, r.States, r.Could})
}

// Text returns the rejection in some lines.
func (r Rejection) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Line %d is the first that cannot be explained:\n\n  %v\n\n", r.Line, r.Event)
	fmt.Fprintf(&b, "Its %s contradicts: %s.\n\nPossible before it:\n\n", r.Part, r.Why)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range r.States {
		fmt.Fprintf(table, "  %v\tlock %s", s.Words, holder(s.Lock))
		for p, me := range s.Procs {
			fmt.Fprintf(table, "\tp%d %v", p, me.Step)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	fmt.Fprintln(&b)
	for p, what := range r.Could {
		fmt.Fprintf(&b, "  p%d %s\n", p, what)
	}
	return b.String()
}

func holder(p int) string {
	if p < 0 {
		return "free"
	}
	return fmt.Sprintf("p%d", p)
}
