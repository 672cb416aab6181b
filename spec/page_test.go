package spec_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	. "sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestGolden_Pages compares the tables of the pages with those of the package.
func TestGolden_Pages(t *testing.T) {
	for page, tables := range map[string]map[string][][]string{
		"PROTOCOL.md": {
			"words":        wordTable(),
			"call":         stepTable(CallSteps),
			"withdrawal":   stepTable(WithdrawalSteps),
			"construction": stepTable(ConstructionSteps),
		},
		"HAZARDS.md": {
			"properties": propertyTable(),
			"scenarios":  scenarioTable(),
			"events":     eventTable(),
			"exit-codes": {
				{"code", "meaning"},
				{fmt.Sprint(ExitOK), "all verdicts are as expected"},
				{fmt.Sprint(ExitUsage), "wrong usage or environment; one line on stderr says what to do"},
				{fmt.Sprint(ExitHang), "a hang or a deadlock"},
				{fmt.Sprint(ExitSafety), "a safety property is violated"},
				{fmt.Sprint(ExitLiveness), "a liveness property is violated"},
				{fmt.Sprint(ExitUnfinished), "unfinished: a limit was reached; never reported as verified"},
				{fmt.Sprint(ExitInterrupted), "interrupted; the partial result is kept"},
			},
		},
	} {
		names := golden.Parts(t, page, "table", func(name string) string { return golden.Table(tables[name]) })
		slices.Sort(names)
		if want := slices.Sorted(maps.Keys(tables)); !slices.Equal(names, want) {
			t.Errorf("%s has the tables %v, want %v", page, names, want)
		}
	}
}

func wordTable() [][]string {
	rows := [][]string{{"word", "offset", "type", "initial", "meaning"}}
	for _, w := range AllWords {
		initial := strings.Replace(fmt.Sprint(w.Initial()), "-", "−", 1)
		rows = append(rows, []string{code(w), fmt.Sprint(w.Offset()), "int32", initial, w.Doc()})
	}
	return rows
}

func stepTable(steps []Step) [][]string {
	rows := [][]string{{"label", "lock", "reads", "writes", "effect", "next"}}
	for _, s := range steps {
		rows = append(rows, []string{code(s), s.Lock().String(), list(s.Reads()), list(s.Writes()), s.Doc(), branches(s)})
	}
	return rows
}

func branches(s Step) string {
	var parts []string
	for _, b := range s.Next() {
		switch {
		case b.If != "":
			parts = append(parts, b.If+": "+code(b.To))
		case b.To == s:
			parts = append(parts, "else stay")
		case len(s.Next()) > 1:
			parts = append(parts, "else "+code(b.To))
		default:
			parts = append(parts, code(b.To))
		}
	}
	return strings.Join(parts, ", ")
}

func list(words []Word) string {
	var names []string
	for _, w := range words {
		names = append(names, w.String())
	}
	return strings.Join(names, ", ")
}

func propertyTable() [][]string {
	rows := [][]string{{"property", "kind", "says"}}
	for _, p := range AllProperties {
		rows = append(rows, []string{code(p), string(p.Kind()), p.Doc()})
	}
	return rows
}

func scenarioTable() [][]string {
	rows := [][]string{{"scenario", "what happens"}}
	for _, p := range AllProperties {
		rows[0] = append(rows[0], code(p))
	}
	for _, s := range AllScenarios {
		row := []string{code(s), s.Doc()}
		for _, p := range AllProperties {
			row = append(row, strings.Replace(string(s.Expect(p)), string(Undecided), "?", 1))
		}
		rows = append(rows, row)
	}
	return rows
}

func eventTable() [][]string {
	rows := [][]string{{"event", "what happens"}}
	for _, e := range AllEvents {
		rows = append(rows, []string{code(e), e.Doc()})
	}
	return rows
}

func code(v fmt.Stringer) string { return "`" + v.String() + "`" }
