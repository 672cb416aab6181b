package tlc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Question is one question about MCSharedBarrier and the answer that TLC must
// give. The figures are those of one worker. With more workers Depth may
// differ. If there is a counterexample, all figures may differ.
type Question struct {
	Scenario   string       `json:"scenario"`             // name of a spec.Scenario
	Control    bool         `json:"control,omitempty"`    // with the guarantee kept
	Procs      int          `json:"procs"`                // N
	Rounds     int          `json:"rounds,omitempty"`     // calls of each process; 0: unbounded
	Kind       string       `json:"kind"`                 // what is asked, in a word
	Spec       string       `json:"spec,omitempty"`       // empty: MCLiveSpec if there are Properties, else MCSpec
	Invariants []string     `json:"invariants,omitempty"` // besides TypeOK, which every question asks
	Properties []string     `json:"properties,omitempty"` // temporal: NoHang, RefinesBarrier
	Verdict    spec.Verdict `json:"verdict"`
	Property   string       `json:"property,omitempty"` // what is refuted
	Generated  int64        `json:"generated"`          // states, repetitions included
	Distinct   int64        `json:"distinct"`
	Depth      int          `json:"depth"` // states on the longest of the shortest paths
	Class      Class        `json:"class"`
	WhyProcs   string       `json:"whyProcs,omitempty"`  // why Procs are enough; empty: the reason of the table
	WhyRounds  string       `json:"whyRounds,omitempty"` // as WhyProcs

	doc, procs, rounds string // the comments of the configuration
}

// A Class says how long a question takes on two cores.
type Class string

// The classes. The tests run the short ones.
const (
	Short  Class = "short"  // seconds
	Medium Class = "medium" // up to two minutes
	Long   Class = "long"   // longer
)

// Classes lists the classes, the shortest first.
var Classes = []Class{Short, Medium, Long}

// Limit is the time after which a question of the class is given up. It is far
// longer than the question takes.
func (c Class) Limit() time.Duration {
	switch c {
	case Short:
		return 10 * time.Minute
	case Medium:
		return time.Hour
	default:
		return 3 * time.Hour
	}
}

// TableFile is the name of the table of the questions.
const TableFile = "questions.json"

// tableVersion is the version of its form.
const tableVersion = 2

// A table is questions.json: the questions, and the texts of their comments.
type table struct {
	Version   int               `json:"version"`
	Procs     map[string]string `json:"procs"`  // why so many processes are enough
	Rounds    map[string]string `json:"rounds"` // why so many rounds are enough
	Kinds     map[string]string `json:"kinds"`  // what the kind asks
	Scenarios map[string]struct {
		Doc     string `json:"doc"`
		Control string `json:"control"` // Doc of the control
		Procs   string `json:"procs"`   // as in the table, for this scenario
		Rounds  string `json:"rounds"`
	} `json:"scenarios"`
	Questions []Question `json:"questions"`
}

// ReadQuestions reads the table of the files. It fails if the scenario of a
// question is unknown, if there is no text on what it asks or why its bounds
// are enough, if its numbers make no sense, or if two questions have the same
// name.
func ReadQuestions(files fs.FS) ([]Question, error) {
	text, err := fs.ReadFile(files, TableFile)
	if err != nil {
		return nil, err
	}
	var t table
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("%s: %w", TableFile, err)
	}
	if t.Version != tableVersion {
		return nil, fmt.Errorf("%s: version %d, and this program reads %d", TableFile, t.Version, tableVersion)
	}
	names := map[string]bool{}
	for i := range t.Questions {
		q := &t.Questions[i]
		t.explain(q)
		_, err := spec.ParseScenario(q.Scenario)
		if err != nil || names[q.Name()] || q.doc == "" || q.procs == "" || q.rounds == "" {
			return nil, fmt.Errorf("%s: %s: wants a scenario, a name of its own, and comments on its kind, procs and rounds", TableFile, q.Name())
		}
		if q.Procs < 1 || q.Rounds < 0 || !word.MatchString(q.Kind) {
			return nil, fmt.Errorf("%s: %q: wants 1 process or more, no negative rounds, and a kind of letters, digits and -", TableFile, q.Name())
		}
		names[q.Name()] = true
	}
	return t.Questions, nil
}

// word matches a kind, which is part of the names of files.
var word = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

// explain finds the comments of the question.
func (t table) explain(q *Question) {
	scenario := t.Scenarios[q.Scenario]
	situation, kind := scenario.Doc, t.Kinds[q.Kind]
	if q.Control {
		situation = scenario.Control
	}
	if slices.Contains(q.Invariants, q.Kind) && kind == "" {
		kind = "Does " + q.Kind + " hold?"
	}
	if situation != "" && kind != "" {
		q.doc = situation + "  " + kind
	}
	q.procs = cmp.Or(q.WhyProcs, scenario.Procs, t.Procs[strconv.Itoa(q.Procs)])
	why := "fails"
	switch {
	case q.Control:
		why = "control"
	case q.Verdict == spec.Verified:
		why = "holds"
	}
	q.rounds = cmp.Or(q.WhyRounds, scenario.Rounds, t.Rounds[why])
	if q.Rounds == 0 {
		q.rounds = t.Rounds["unbounded"]
	}
}

// Name returns a name that says what the question is about: reuse-n3-safety,
// crash-control-n3-r3-NoHang.
func (q Question) Name() string { return q.space() + "-" + q.Kind }

// space names the states that the question is about.
func (q Question) space() string {
	name := q.Scenario
	if q.Control {
		name += "-control"
	}
	name += fmt.Sprintf("-n%d", q.Procs)
	if q.Rounds > 0 {
		name += fmt.Sprintf("-r%d", q.Rounds)
	}
	return name
}

// ModelConfig returns the same states as the model has them.
func (q Question) ModelConfig() model.Config {
	scenario, err := spec.ParseScenario(q.Scenario)
	if err != nil {
		panic(err) // ReadQuestions has checked it
	}
	return model.Config{Scenario: scenario, Procs: q.Procs, Rounds: q.Rounds, Control: q.Control}
}

// Formulas lists the invariants and the properties.
func (q Question) Formulas() []string { return slices.Concat(q.Invariants, q.Properties) }

// Liveness reports whether the question is about whole behaviours.
func (q Question) Liveness() bool { return len(q.Properties) > 0 }

// Configuration returns the text of the .cfg file that asks TLC the question.
func (q Question) Configuration() string {
	var b strings.Builder
	comment := func(text string) string {
		if text != "" {
			text = ` \* ` + text
		}
		return text
	}
	if q.doc != "" {
		fmt.Fprintf(&b, "\\* %s\n\\* %s expects: %s.\n", q.doc, TableFile, q.expected())
	}
	fmt.Fprintf(&b, "CONSTANTS\n    N = %d      %s\n    Rounds = %d %s\n", q.Procs, comment(q.procs), q.Rounds, comment(q.rounds))
	fmt.Fprintf(&b, "    Scenario = %q\n    Control = %s\n", q.Scenario, strings.ToUpper(fmt.Sprint(q.Control)))
	b.WriteString(`    Count <- MCCount  Parties <- MCParties  MayCall <- MCMayCall  MayGiveUp <- MCMayGiveUp
    Dead <- MCDead  EnvOK <- MCEnvOK  ReadWrite <- MCReadWrite
`)
	specification := "MCSpec"
	if q.Liveness() {
		specification = "MCLiveSpec"
	}
	fmt.Fprintf(&b, "SPECIFICATION %s\nINVARIANTS TypeOK %s\n", cmp.Or(q.Spec, specification), strings.Join(q.Invariants, " "))
	if q.Liveness() {
		fmt.Fprintf(&b, "PROPERTIES %s\n", strings.Join(q.Properties, " "))
	}
	b.WriteString("CHECK_DEADLOCK FALSE\n")
	return trailing.ReplaceAllString(b.String(), "\n")
}

var trailing = regexp.MustCompile(` +\n`)

func (q Question) expected() string {
	return fmt.Sprintf("%s, %d distinct states, depth %d", strings.TrimSpace(string(q.Verdict)+" "+q.Property), q.Distinct, q.Depth)
}

// Differs says how the answer differs from the expected one. It returns "" if
// it does not. All figures are compared if the run was exact: by one worker,
// without TLC's server.
func (q Question) Differs(got model.Result, exact bool) string {
	switch refuted := got.Property != ""; {
	case q.Verdict == "":
		return TableFile + " has no answer"
	case got.Verdict != q.Verdict:
		return fmt.Sprintf("verdict %s, want %s", got.Verdict, q.Verdict)
	case got.Property != q.Property:
		return fmt.Sprintf("refutes %s, want %s", got.Property, q.Property)
	case !exact && refuted:
		return ""
	case got.Distinct != q.Distinct:
		return fmt.Sprintf("%d distinct states, want %d", got.Distinct, q.Distinct)
	case exact && got.Generated != q.Generated: // TLC's server counts some twice
		return fmt.Sprintf("%d states generated, want %d", got.Generated, q.Generated)
	case exact && got.Depth != q.Depth:
		return fmt.Sprintf("depth %d, want %d", got.Depth, q.Depth)
	}
	return ""
}

// Group divides the questions, in their order, into lists that one run of TLC
// can answer: those about the same states whose formulas must all hold.
func Group(questions []Question) (groups [][]Question) {
	at := map[string]int{}
	for _, q := range questions {
		joinable := q.Verdict == spec.Verified && q.Spec == ""
		i, ok := at[q.space()]
		if joinable && ok {
			groups[i] = append(groups[i], q)
			continue
		}
		if joinable {
			at[q.space()] = len(groups)
		}
		groups = append(groups, []Question{q})
	}
	return groups
}

// join returns one question that asks what all of them ask.
func join(questions []Question) Question {
	all := questions[0]
	for _, q := range questions[1:] {
		all.Kind += "+" + q.Kind
		all.Invariants = slices.Concat(all.Invariants, q.Invariants)
		all.Properties = slices.Concat(all.Properties, q.Properties)
		if slices.Index(Classes, q.Class) > slices.Index(Classes, all.Class) {
			all.Class = q.Class
		}
	}
	return all
}
