package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"
)

// The verdicts on a mutant.
const (
	killed    = "killed"
	timedOut  = "time limit"
	lived     = "lived"
	unreached = "not reached" // lived, since no test gets there
	notViable = "not viable"  // does not compile
)

// The kinds of mutants.
const (
	generated = "generated"
	gremlins  = "gremlins"
	byHand    = "by hand"
)

var kinds = []string{generated, gremlins, byHand}

// An outcome is what became of one mutant.
type outcome struct {
	kind, name, line string
	verdict, by      string // by: the test
}

func (o outcome) survived() bool { return o.verdict == lived || o.verdict == unreached }

// A result has the outcomes of a package.
type result struct {
	pkg         string
	outcomes    []outcome
	took        time.Duration
	survivors   []survivor
	unexplained []string // survivors without a reason
	stale       []string // reasons for mutants that do not exist
	broken      []string // tests that fail without a mutant
}

// A survivor is a mutant that lived. Its reason is empty if there is none.
type survivor struct{ kind, name, reason string }

// reasonOf returns the reason for a mutant, and notes that it was used.
func reasonOf(reasons []reason, name string, used map[string]bool) (why string) {
	for _, reason := range reasons {
		if reason.matches.MatchString(name) {
			used[reason.name] = true
			why = reason.text
		}
	}
	return why
}

// A reason says why mutants may live. A star in a name stands for any text.
type reason struct {
	name    string
	matches *regexp.Regexp
	text    string
}

// readReasons reads names, a line each, and below them, indented by a tab, why
// these mutants may live.
func readReasons(path string) (list []reason, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names, words []string
	flush := func() error {
		if (len(names) == 0) != (len(words) == 0) {
			return fmt.Errorf("%s: %q needs both names and a reason", path, append(names, words...))
		}
		for _, name := range names {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(name), `\*\*`, ".*")
			list = append(list, reason{name, regexp.MustCompile("^" + pattern + "$"), strings.Join(words, " ")})
		}
		names, words = nil, nil
		return nil
	}
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(line, "\t"):
			words = append(words, trimmed)
		default:
			if len(words) > 0 {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			names = append(names, trimmed)
		}
	}
	return list, flush()
}

// explain gives each survivor its reason. In a whole run it also notes reasons
// for mutants that do not exist.
func (r *result) explain(reasons []reason, whole bool) {
	used := map[string]bool{}
	for _, o := range r.outcomes {
		why := reasonOf(reasons, o.name, used)
		if !o.survived() {
			continue
		}
		r.survivors = append(r.survivors, survivor{o.kind, o.name, why})
		if why == "" {
			r.unexplained = append(r.unexplained, o.name)
		}
	}
	for _, reason := range reasons {
		if whole && !used[reason.name] && strings.HasPrefix(reason.name, r.pkg+"/") && !strings.Contains(reason.name[len(r.pkg)+1:], "/") {
			r.stale = append(r.stale, reason.name)
		}
	}
}

// count returns how many mutants of a kind have a verdict; "": any.
func (r *result) count(kind, verdict string) (n int) {
	for _, o := range r.outcomes {
		if o.kind == kind && (verdict == "" || o.verdict == verdict) {
			n++
		}
	}
	return n
}

// rows are the lines of the package in the table of the page.
func (r *result) rows() (list []string) {
	for _, kind := range kinds {
		if r.count(kind, "") > 0 {
			list = append(list, fmt.Sprintf("| `%s` | %s | %d | %d | %d | %d | %d | %d |", r.pkg, kind, r.count(kind, ""), r.count(kind, killed),
				r.count(kind, timedOut), r.count(kind, lived), r.count(kind, unreached), r.count(kind, notViable)))
		}
	}
	return list
}

// text is what the command prints of a package.
func (r *result) text() string {
	var b strings.Builder
	for _, row := range r.rows() {
		fmt.Fprintln(&b, row)
	}
	fmt.Fprintf(&b, "%s: %.0f s; %d survivors with a reason, %d without\n", r.pkg, r.took.Seconds(), len(r.survivors)-len(r.unexplained), len(r.unexplained))
	for _, name := range r.unexplained {
		fmt.Fprintf(&b, "no reason: %s\n", name)
	}
	for _, name := range r.broken {
		fmt.Fprintf(&b, "fails without a mutant, and is left out: %s\n", name)
	}
	for _, name := range r.stale {
		fmt.Fprintf(&b, "no such mutant: %s\n", name)
	}
	return b.String()
}
