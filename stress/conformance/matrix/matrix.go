//go:build linux

// Package matrix shows what package conformance has found about ports: a page
// for a browser with a row for each port and a column for each check, and badges
// in the form that shields.io reads.
//
//	r := matrix.Report{Version: matrix.Version, Command: command}
//	r.Add(options, results)
//	err := r.Page(out)
//
// All of it comes from the JSON form of a Report.
package matrix

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/report"
)

// Version is the version of the JSON form of Report, which report.schema.json
// describes.
const Version = 1

// A Report is what conformance has found about some ports.
type Report struct {
	Version     int                `json:"version"`
	Command     string             `json:"command"` // checks them all again
	Started     time.Time          `json:"started"`
	Environment report.Environment `json:"environment"`
	Ports       []Row              `json:"ports"`
}

// A Row is what it has found about one port.
type Row struct {
	Port    string               `json:"port"`
	Command string               `json:"command"` // checks it again
	Verdict spec.Verdict         `json:"verdict"` // unfinished: a check was left out, or not made
	Results []conformance.Result `json:"results"` // of the checks up to the first that has failed
}

// Of returns the report of a command that begins to check ports.
func Of(command string) Report {
	return Report{Version, command, time.Now().UTC().Truncate(time.Second), report.Here(), []Row{}}
}

// Add adds the results of conformance.Run with the options.
func (r *Report) Add(o conformance.Options, results []conformance.Result) {
	row := Row{Port: o.Port, Command: o.Command(), Results: append([]conformance.Result{}, results...)}
	row.Verdict = row.verdict()
	r.Ports = append(r.Ports, row)
}

func (r Row) verdict() spec.Verdict {
	switch count := r.count(); {
	case count[Failed] > 0:
		return spec.Violated
	case count[LeftOut]+count[NotHere]+count[NotMade] > 0:
		return spec.Unfinished
	}
	return spec.Passed
}

// JSON writes the report as one line.
func (r Report) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// A Mark says what a cell shows: how a port stands to a check.
type Mark string

// The marks, from the best to the worst.
const (
	Passed        Mark = "passed"
	NotApplicable      = Mark(conformance.NotApplicable)
	Deviation          = Mark(conformance.Deviation)
	LeftOut            = Mark(conformance.LeftOut)
	NotHere            = Mark(conformance.NotHere)
	NotMade       Mark = "not made" // an earlier check has failed, or the run has ended
	Failed        Mark = "failed"
)

// of returns the mark of the check, and its result unless it was not made.
func (r Row) of(check string) (Mark, conformance.Result) {
	i := slices.IndexFunc(r.Results, func(result conformance.Result) bool { return result.Check == check })
	if i < 0 {
		return NotMade, conformance.Result{Check: check, Found: "the run has ended before"}
	}
	result := r.Results[i]
	switch result.Verdict {
	case spec.Passed:
		return Passed, result
	case spec.Violated:
		return Failed, result
	}
	return Mark(result.NotAsked), result
}

// count counts the checks by mark.
func (r Row) count() map[Mark]int {
	count := map[Mark]int{}
	for _, check := range conformance.Checks {
		mark, _ := r.of(check.Name)
		count[mark]++
	}
	return count
}
