//go:build linux

package matrix

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/conformance"
)

// A Badge is the answer of an endpoint of shields.io, which makes a picture of
// it (https://shields.io/badges/endpoint-badge). badge.schema.json describes
// its JSON form.
type Badge struct {
	SchemaVersion int    `json:"schemaVersion"` // 1
	Label         string `json:"label"`         // the left text
	Message       string `json:"message"`       // the right text
	Color         string `json:"color"`
	IsError       bool   `json:"isError,omitempty"` // no address may ask for another color
}

// The colors of badges: names that shields.io knows. Only a port that passes has
// a green one.
const (
	allPass     = "brightgreen" // every check
	appliesPass = "green"       // every check that applies
	deviates    = "yellow"      // known deviations
	unfinished  = "lightgrey"
	fails       = "red"
)

// colors are the colors from the best to the worst.
var colors = []string{allPass, appliesPass, deviates, unfinished, fails}

const label = "shared barrier"

// JSON writes the badge.
func (b Badge) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(b) }

// Badge returns the badge of the port. Its label names the port, unless that is
// a command.
func (r Row) Badge() Badge {
	b := Badge{SchemaVersion: 1, Label: label}
	if !strings.HasPrefix(r.Port, "exec:") {
		b.Label += ": " + r.Port
	}
	count, all := r.count(), len(conformance.Checks)
	b.Message = fmt.Sprintf("%d of %d checks", count[Passed], all)
	switch {
	case r.Verdict == spec.Violated:
		b.Color, b.IsError = fails, true
		b.Message = "fails " + r.Results[len(r.Results)-1].Check
	case r.Verdict == spec.Unfinished:
		b.Color = unfinished
		b.Message += ", unfinished"
	case count[Deviation] > 0:
		b.Color = deviates
		b.Message += fmt.Sprintf(", %d known %s", count[Deviation], plural(count[Deviation], "deviation"))
	case count[Passed] < all:
		b.Color = appliesPass
	default:
		b.Color = allPass
	}
	return b
}

// Badge returns the badge of all ports: that of the only one, or how many of
// them pass, in the color of the worst.
func (r Report) Badge() Badge {
	if len(r.Ports) == 1 {
		return r.Ports[0].Badge()
	}
	b := Badge{SchemaVersion: 1, Label: label}
	pass, worst := 0, 0
	for _, row := range r.Ports {
		if row.Verdict == spec.Passed {
			pass++
		}
		worst = max(worst, slices.Index(colors, row.Badge().Color))
	}
	b.Color, b.IsError = colors[worst], colors[worst] == fails
	b.Message = fmt.Sprintf("%d of %d %s pass", pass, len(r.Ports), plural(len(r.Ports), "port"))
	return b
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
