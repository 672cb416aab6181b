package tlc

import (
	"fmt"
	"strconv"
	"strings"
)

// A value is what TLC prints for a TLA+ value: an int, a string, a set (a
// []value) or a function (a map[value]value), of those kinds that the states
// of SharedBarrier are made of.
type value any

// parseValue reads one value and returns what stands behind it.
func parseValue(text string) (v value, rest string, err error) {
	text = strings.TrimLeft(text, " \n")
	switch {
	case strings.HasPrefix(text, `"`):
		s, rest, ok := strings.Cut(text[1:], `"`)
		if !ok {
			return nil, "", fmt.Errorf("unfinished string %q", text)
		}
		return s, rest, nil
	case strings.HasPrefix(text, "{"):
		return parseSet(text[1:])
	case strings.HasPrefix(text, "("):
		return parseFunction(text[1:])
	default:
		return parseInt(text)
	}
}

func parseInt(text string) (value, string, error) {
	end := 0
	for end < len(text) && (text[end] == '-' && end == 0 || text[end] >= '0' && text[end] <= '9') {
		end++
	}
	n, err := strconv.Atoi(text[:end])
	if err != nil {
		return nil, "", fmt.Errorf("no value: %q", text)
	}
	return n, text[end:], nil
}

// parseSet reads "a, b}".
func parseSet(text string) (value, string, error) {
	set := []value{}
	for {
		text = strings.TrimLeft(text, " \n,")
		if rest, ok := strings.CutPrefix(text, "}"); ok {
			return set, rest, nil
		}
		element, rest, err := parseValue(text)
		if err != nil {
			return nil, "", err
		}
		set, text = append(set, element), rest
	}
}

// parseFunction reads "0 :> a @@ 1 :> b)".
func parseFunction(text string) (value, string, error) {
	function := map[value]value{}
	for {
		key, rest, err := parseValue(text)
		if err != nil {
			return nil, "", err
		}
		rest, ok := strings.CutPrefix(strings.TrimLeft(rest, " \n"), ":>")
		if !ok {
			return nil, "", fmt.Errorf("no :> in %q", text)
		}
		function[key], rest, err = parseValue(rest)
		if err != nil {
			return nil, "", err
		}
		rest = strings.TrimLeft(rest, " \n")
		if after, ok := strings.CutPrefix(rest, ")"); ok {
			return function, after, nil
		}
		if text, ok = strings.CutPrefix(rest, "@@"); !ok {
			return nil, "", fmt.Errorf("neither @@ nor ) in %q", rest)
		}
	}
}
