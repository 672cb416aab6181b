package tlc

import (
	"fmt"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// A value is parsed as a variable of a state is.
func TestUnit_ParseValue(t *testing.T) {
	value := func(text string) (v value, failed bool) {
		defer func() { failed = recover() != nil }()
		p := parse(text)
		v = p.value()
		return v, len(p.rest) > 0
	}
	type function = map[any]any
	for text, want := range map[string]any{
		`-1`:                           -1,
		`"Call"`:                       "Call",
		`{}`:                           []any{},
		`{"Die", "Relink"}`:            []any{"Die", "Relink"},
		`-1..2`:                        []any{-1, 0, 1, 2},
		`(0 :> "Call")`:                function{0: "Call"},
		"(0 :> -2 @@\n  1 :> 7)":       function{0: -2, 1: 7},
		`(0 :> (0 :> 1) @@ 1 :> 2)`:    function{0: function{0: 1}, 1: 2},
		`[at |-> {}, to |-> (0 :> 1)]`: function{"at": []any{}, "to": function{0: 1}},
	} {
		if got, failed := value(text); failed || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("value of %q = %v, failed %v; want %v", text, got, failed, want)
		}
	}
	for _, text := range []string{``, `x`, `"Call`, `{1`, `{1 2}`, `(0 :> 1`, `(0 1)`, `(0 :> 1 1 :> 2)`, `[at |-> 1`,
		`0..4294967295`, `9223372036854775806..9223372036854775807`, strings.Repeat("{", deepest+1) + strings.Repeat("}", deepest+1)} {
		if got, failed := value(text); !failed {
			t.Errorf("value of %q = %v, want a panic", text, got)
		}
	}
}

// stateText is the initial state of one process as TLC prints it.
const stateText = `/\ flag = 1
/\ exit = -1
/\ enter = 0
/\ env = [happened |-> {}, read |-> (0 :> -2)]
/\ pc = (0 :> "Call")
/\ lock = -1
/\ rounds = (0 :> 0)`

func TestUnit_ParseStateRefuses(t *testing.T) {
	if s, err := parseState(stateText); err != nil || s.Words != spec.Initial {
		t.Fatalf("parseState(%s) = %v, %v", stateText, s, err)
	}
	for old, new := range map[string]string{
		`"Call"`:             `"Cull"`,
		`lock = -1`:          `lock = {}`,
		`flag = 1`:           `banner = 1`,
		`read |-> (0 `:       `read |-> (`,
		`rounds = (0 :> 0)`:  `rounds = (0 :> 0 @@ 1 :> 0)`,
		`read |-> (0 :> -2)`: `read |-> (0 :> -2 @@ 1 :> -2)`,
		`exit = -1`:          `exit = 2147483648`,
		`/\ pc = (0`:         `/\ pc (0`,
		`lock = `:            `lock = ` + strings.Repeat("{", deepest+1) + strings.Repeat("}", deepest+1),
	} {
		if s, err := parseState(strings.Replace(stateText, old, new, 1)); err == nil {
			t.Errorf("parseState with %s for %s = %v, want an error", new, old, s)
		}
	}
}

// TestUnit_StateParts: what has happened, and a value as deep as may be.
func TestUnit_StateParts(t *testing.T) {
	s, err := parseState(strings.Replace(stateText, "happened |-> {}", `happened |-> {"Die", "Relink"}`, 1))
	if err != nil || !s.Dead || !s.Relinked {
		t.Errorf("parseState: got %v, %v, want a death and a relink", s, err)
	}
	if s, err = parseState(stateText); err != nil || s.Dead || s.Relinked {
		t.Errorf("parseState: got %v, %v, want neither", s, err)
	}
	nested := strings.Repeat("{", deepest) + strings.Repeat("}", deepest)
	if p := parse(nested); fmt.Sprint(p.value()) != strings.NewReplacer("{", "[", "}", "]").Replace(nested) {
		t.Errorf("%s was not read", nested)
	}
}
