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
		"GROUP.md": {
			"group-header":     fieldTable(GroupHeader),
			"group-slot":       fieldTable(GroupSlot),
			"group-call":       memberTable(MemberCallSteps),
			"group-section":    memberTable(SectionSteps),
			"group-membership": memberTable(MembershipSteps),
			"group-schedule":   scheduleTable(),
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

// table returns a table with a row for each of all.
func table[T any](all []T, head []string, row func(T) []string) [][]string {
	rows := [][]string{head}
	for _, v := range all {
		rows = append(rows, row(v))
	}
	return rows
}

func wordTable() [][]string {
	return table(AllWords, []string{"word", "offset", "type", "initial", "meaning"}, func(w Word) []string {
		initial := strings.Replace(fmt.Sprint(w.Initial()), "-", "−", 1)
		return []string{code(w), fmt.Sprint(w.Offset()), "int32", initial, w.Doc()}
	})
}

func stepTable(steps []Step) [][]string {
	return table(steps, []string{"label", "lock", "reads", "writes", "effect", "next"}, func(s Step) []string {
		return []string{code(s), s.Lock().String(), list(s.Reads()), list(s.Writes()), s.Doc(), branches(s, s.Next())}
	})
}

func fieldTable(fields []GroupField) [][]string {
	return table(fields, []string{"field", "offset", "type", "meaning"}, func(f GroupField) []string {
		return []string{"`" + f.Name + "`", fmt.Sprint(f.Offset), f.Type, f.Doc}
	})
}

func memberTable(steps []MemberStep) [][]string {
	return table(steps, []string{"label", "lock", "effect", "next"}, func(s MemberStep) []string {
		return []string{code(s), s.Lock().String(), s.Doc(), branches(s, s.Next())}
	})
}

func scheduleTable() [][]string {
	steps := slices.DeleteFunc(slices.Clone(AllMemberSteps), func(s MemberStep) bool { return s.Schedule() == "" })
	return table(steps, []string{"step", "steps of PROTOCOL.md"}, func(s MemberStep) []string {
		return []string{code(s), s.Schedule()}
	})
}

func branches[S interface {
	comparable
	fmt.Stringer
}](s S, next []Branch[S]) string {
	var parts []string
	for _, b := range next {
		switch {
		case b.If != "":
			parts = append(parts, b.If+": "+code(b.To))
		case b.To == s:
			parts = append(parts, "else stay")
		case len(next) > 1:
			parts = append(parts, "else "+code(b.To))
		default:
			parts = append(parts, code(b.To))
		}
	}
	return strings.Join(parts, ", ")
}

func list(words []Word) string { return strings.Trim(fmt.Sprint(words), "[]") }

func propertyTable() [][]string {
	return table(AllProperties, []string{"property", "kind", "says"}, func(p Property) []string {
		return []string{code(p), string(p.Kind()), p.Doc()}
	})
}

func scenarioTable() [][]string {
	head := []string{"scenario", "what happens"}
	for _, p := range AllProperties {
		head = append(head, code(p))
	}
	return table(AllScenarios, head, func(s Scenario) []string {
		row := []string{code(s), s.Doc()}
		for _, p := range AllProperties {
			row = append(row, strings.Replace(string(s.Expect(p)), string(Undecided), "?", 1))
		}
		return row
	})
}

func eventTable() [][]string {
	return table(AllEvents, []string{"event", "what happens"}, func(e Event) []string {
		return []string{code(e), e.Doc()}
	})
}

func code(v fmt.Stringer) string { return "`" + v.String() + "`" }
