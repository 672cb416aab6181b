package tlc

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A value is what TLC prints for a TLA+ value: an int, a bool, a string, a set
// ([]value), or a function or record (map[value]value).
type value = any

// A parser reads values. It panics with a text where there is none.
type parser struct {
	text  string
	rest  []string // tokens
	depth int      // of the value that is being read
}

// deepest is how deep values of the spec are nested, and more.
const deepest = 10

// widest is how many values a set without a gap has, and more.
const widest = 1000

var token = regexp.MustCompile(`"[^"]*"|-?\d+\.\.-?\d+|-?\d+|\w+|:>|@@|\|->|/\\|\S`)

func parse(text string) *parser { return &parser{text: text, rest: token.FindAllString(text, -1)} }

func (p *parser) peek() string {
	if len(p.rest) == 0 {
		panic(fmt.Sprintf("unfinished: %q", p.text))
	}
	return p.rest[0]
}

func (p *parser) next() string {
	t := p.peek()
	p.rest = p.rest[1:]
	return t
}

// want skips the token.
func (p *parser) want(t string) {
	if got := p.next(); got != t {
		panic(fmt.Sprintf("%q, want %q: %q", got, t, p.text))
	}
}

func (p *parser) value() value {
	if p.depth++; p.depth > deepest {
		panic(fmt.Sprintf("values nested too deep: %q", p.text))
	}
	defer func() { p.depth-- }()
	switch t := p.next(); {
	case strings.HasPrefix(t, `"`) && len(t) > 1:
		return t[1 : len(t)-1]
	case t == "{":
		set := []value{}
		for p.peek() != "}" {
			if len(set) > 0 {
				p.want(",")
			}
			set = append(set, p.value())
		}
		p.next()
		return set
	case t == "(":
		return p.function(p.value, ":>", "@@", ")")
	case t == "[":
		return p.function(func() value { return p.next() }, "|->", ",", "]")
	case t == "TRUE", t == "FALSE":
		return t == "TRUE"
	case strings.Contains(t, ".."): // a set without a gap
		low, high, _ := strings.Cut(t, "..")
		from, to := number(low), number(high)
		if to > from+widest {
			panic(fmt.Sprintf("%q has too many values: %q", t, p.text))
		}
		set := []value{}
		for n := from; n <= to; n++ {
			set = append(set, n)
		}
		return set
	default:
		n, err := strconv.Atoi(t)
		if err != nil {
			panic(fmt.Sprintf("no value: %q in %q", t, p.text))
		}
		return n
	}
}

// number returns the digits of a token as a number.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err.Error())
	}
	return n
}

// function reads "0 :> a @@ 1 :> b)" or "x |-> a, y |-> b]".
func (p *parser) function(key func() value, to, and, end string) value {
	function := map[value]value{}
	for {
		k := key()
		p.want(to)
		function[k] = p.value()
		if p.peek() == end {
			p.next()
			return function
		}
		p.want(and)
	}
}
