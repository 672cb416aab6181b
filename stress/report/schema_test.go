//go:build linux

package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// sample returns a document with the runs that package run has as examples.
func sample(t *testing.T) report.Document {
	t.Helper()
	examples, err := filepath.Glob("../run/testdata/*.json")
	if err != nil || len(examples) == 0 {
		t.Fatalf("the examples of package run are %v, %v", examples, err)
	}
	doc := report.Document{
		Version: report.Version, Command: "go run ./stress --scenario all --for 1s --seed 42", Seed: 42, Verdict: spec.Hang,
		Started:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Environment: report.Environment{OS: "linux", Kernel: "6.1", Arch: "amd64", CPU: "a CPU", CPUs: 2, Go: "go1.26", Load: 0.5},
		Scenarios: []report.Scenario{
			{Scenario: "crash", Procs: 2, Trials: 3, Rounds: 9, Met: []string{"two-first"}, NotMet: []string{"overlap"}, Verdict: spec.Unfinished, Cause: "not seen: death"},
		},
		Outcomes: []report.Outcome{
			{Scenario: "crash", Outcome: "hang", Grade: "expected", Seen: 1, Rounds: 9, Passed: true},
			{Scenario: "crash", Control: true, Outcome: "hang", Grade: "forbidden", Rounds: 1000, Bound: 0.003, Passed: true},
		},
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var rep run.Report
		if err := json.Unmarshal(text, &rep); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		doc.Runs = append(doc.Runs, report.Explain(rep, doc.Command))
	}
	return doc
}

// TestHazard_EveryConstraintOfTheSchema breaks each constraint of the schemas
// in an otherwise correct document. The schema must refuse it, by that
// constraint. A constraint that no document reaches fails the test: the
// examples of package run need one that has the field.
func TestHazard_EveryConstraintOfTheSchema(t *testing.T) {
	doc := sample(t)
	for path, document := range map[string]interface{ JSON(io.Writer) error }{
		"report.schema.json":  doc,
		"compare.schema.json": pairs(doc),
	} {
		schema := golden.Schema(t, path)
		var line strings.Builder
		if err := document.JSON(&line); err != nil {
			t.Fatal(err)
		}
		root := golden.JSON(t, line.String())
		if err := schema.Validate(root); err != nil {
			t.Fatalf("%s: the sample: %v", path, err)
		}
		b := breaker{t: t, schema: schema, root: root, broken: map[string]bool{}}
		b.walk(schema, root, func(v any) { b.root = v })
		for _, constraint := range b.constraints() {
			if !b.broken[constraint] {
				t.Errorf("no document breaks %s", constraint)
			}
		}
	}
}

// A breaker walks through a document together with its schema.
type breaker struct {
	t      *testing.T
	schema *jsonschema.Schema
	root   any
	broken map[string]bool // the constraints that have refused a document
}

// walk breaks each constraint of s on value, which set replaces in the
// document, and then those of its parts.
func (b *breaker) walk(s *jsonschema.Schema, value any, set func(any)) {
	if s.Ref != nil {
		b.walk(s.Ref, value, set)
	}
	if len(s.AnyOf) > 0 {
		b.refuses(s, "anyOf", value, set, "no alternative")
	}
	for _, one := range s.AnyOf {
		if one.Validate(value) == nil {
			b.walk(one, value, set)
		}
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		var wrong any = false
		if slices.Contains(s.Types.ToStrings(), "boolean") {
			wrong = "false"
		}
		b.refuses(s, "type", value, set, wrong)
	}
	if s.Const != nil {
		b.refuses(s, "const", value, set, "another")
	}
	if s.Enum != nil {
		b.refuses(s, "enum", value, set, "unheard of")
	}
	if s.Pattern != nil {
		b.refuses(s, "pattern", value, set, "no match\n")
	}
	if s.Format != nil {
		b.refuses(s, "format", value, set, "yesterday")
	}
	if s.MinLength != nil {
		b.refuses(s, "minLength", value, set, "")
	}
	if s.Minimum != nil {
		below, _ := s.Minimum.Float64()
		b.refuses(s, "minimum", value, set, json.Number(fmt.Sprint(below-1)))
	}
	if s.Maximum != nil {
		above, _ := s.Maximum.Float64()
		b.refuses(s, "maximum", value, set, json.Number(fmt.Sprint(above+1)))
	}
	if s.ExclusiveMinimum != nil {
		at, _ := s.ExclusiveMinimum.Float64()
		b.refuses(s, "exclusiveMinimum", value, set, json.Number(fmt.Sprint(at)))
	}
	switch value := value.(type) {
	case map[string]any:
		b.walkObject(s, value, set)
	case []any:
		if s.MinItems != nil {
			b.refuses(s, "minItems", value, set, []any{})
		}
		for i := range value {
			if s.Items2020 != nil {
				b.walk(s.Items2020, value[i], func(v any) { value[i] = v })
			}
		}
	}
}

func (b *breaker) walkObject(s *jsonschema.Schema, value map[string]any, set func(any)) {
	for _, name := range s.Required {
		less := maps.Clone(value)
		delete(less, name)
		b.refuses(s, "required", value, set, less)
	}
	if s.MinProperties != nil {
		b.refuses(s, "minProperties", value, set, map[string]any{})
	}
	switch more := s.AdditionalProperties.(type) {
	case bool:
		with := maps.Clone(value)
		with["comment"] = "more"
		b.refuses(s, "additionalProperties", value, set, with)
	case *jsonschema.Schema:
		for name := range value {
			b.walk(more, value[name], func(v any) { value[name] = v })
		}
	}
	for name, part := range s.Properties {
		if _, has := value[name]; has {
			b.walk(part, value[name], func(v any) { value[name] = v })
		}
	}
}

// refuses puts wrong in the place of value for a moment, and checks that the
// schema refuses the document because of the keyword of s.
func (b *breaker) refuses(s *jsonschema.Schema, keyword string, value any, set func(any), wrong any) {
	b.t.Helper()
	constraint := s.Location + "/" + keyword
	set(wrong)
	err := b.schema.Validate(b.root)
	set(value)
	var refusal *jsonschema.ValidationError
	switch {
	case err == nil:
		b.t.Errorf("%s: a document with %v there fits the schema", constraint, wrong)
	case !errors.As(err, &refusal) || !because(refusal, s.Location, keyword):
		b.t.Errorf("%s: a document with %v there is refused by another constraint: %v", constraint, wrong, err)
	default:
		b.broken[constraint] = true
	}
}

// because reports whether the keyword of the schema at the location is a reason
// of the refusal.
func because(refusal *jsonschema.ValidationError, location, keyword string) bool {
	path := refusal.ErrorKind.KeywordPath()
	if refusal.SchemaURL == location && len(path) > 0 && path[0] == keyword {
		return true
	}
	return slices.ContainsFunc(refusal.Causes, func(cause *jsonschema.ValidationError) bool { return because(cause, location, keyword) })
}

// constraints lists the constraints of the schema.
func (b *breaker) constraints() (list []string) {
	seen := map[*jsonschema.Schema]bool{}
	var walk func(s *jsonschema.Schema)
	walk = func(s *jsonschema.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		for keyword, has := range map[string]bool{
			"anyOf": len(s.AnyOf) > 0, "type": s.Types != nil && !s.Types.IsEmpty(), "const": s.Const != nil, "enum": s.Enum != nil,
			"pattern": s.Pattern != nil, "format": s.Format != nil, "minLength": s.MinLength != nil, "minimum": s.Minimum != nil, "maximum": s.Maximum != nil, "exclusiveMinimum": s.ExclusiveMinimum != nil,
			"minItems": s.MinItems != nil, "required": len(s.Required) > 0, "minProperties": s.MinProperties != nil, "additionalProperties": s.AdditionalProperties == false,
		} {
			if has {
				list = append(list, s.Location+"/"+keyword)
			}
		}
		walk(s.Ref)
		walk(s.Items2020)
		for _, one := range s.AnyOf {
			walk(one)
		}
		for _, part := range s.Properties {
			walk(part)
		}
		if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			walk(more)
		}
	}
	walk(b.schema)
	slices.Sort(list)
	return list
}
