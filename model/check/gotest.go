package main

import (
	"fmt"
	"io"
	"os"
	"text/template"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
)

// goTest is a Go test that replays a counterexample, with nothing but the
// exported names of the model.
const goTest = `package model_test

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestReplay replays what this found:
// {{.Command}}
func TestReplay(t *testing.T) {
	scenario, err := spec.ParseScenario({{printf "%q" .Result.Scenario}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := model.Config{Scenario: scenario, Procs: {{.Config.Procs}}, Rounds: {{.Config.Rounds}}, Control: {{.Config.Control}}, WeakReads: {{.Config.WeakReads}}}
{{- with .Config.Mutant}}
	cfg.Mutant = model.MutantNamed({{printf "%q" .Name}})
{{- end}}
	trace := model.Trace{
{{- range .Result.Trace}}
		{Proc: {{.Proc}}, Label: {{printf "%q" .Label}}, {{with .Parties}}Parties: {{.}}, {{end}}Words: spec.Words{Enter: {{.Words.Enter}}, Exit: {{.Words.Exit}}, Flag: {{.Words.Flag}}}},
{{- end}}
	}
{{- if .Result.Loop}}
	trace = append(trace, trace[{{.Loop}}:]...) // the loop once more
{{- end}}
	states, err := trace.Replay(cfg)
	if err != nil {
		t.Fatal(err)
	}
{{- if .Result.Loop}}
	open := ^0 // the processes that are in a call all through the loop, as bits
	for _, s := range states[{{.Loop}}:] {
		for p := range cfg.Procs {
			if !s.Inside(p) {
				open &^= 1 << p
			}
		}
	}
	if open&(1<<cfg.Procs-1) == 0 {
		t.Error("in the loop every call returns")
	}
{{- else}}
	last := states[len(states)-1]
{{- if eq .Result.Property "NoHang"}}
	if !model.Stuck(cfg, last) {
		t.Errorf("not stuck in %v", last)
	}
{{- else}}
	if !model.Violates(cfg, last, spec.{{.Result.Property}}) {
		t.Errorf("%v does not violate {{.Result.Property}}", last)
	}
{{- end}}
{{- end}}
}
`

// writeGoTest writes the test that replays the counterexample of r; without one
// it writes nothing and says so.
func writeGoTest(path string, cfg model.Config, opt explore.Options, r model.Result) error {
	if len(r.Trace) == 0 {
		fmt.Fprintf(os.Stderr, "%s is not written: there is no counterexample to replay\n", path)
		return nil
	}
	return cli.WriteFile(path, func(w io.Writer) error {
		return template.Must(template.New("").Parse(goTest)).Execute(w, map[string]any{
			"Command": reproduce(cfg, opt), "Config": cfg, "Result": r,
			"Loop": r.Loop - 1, // the entry, from 0, that it begins with, and the state before that
		})
	})
}
