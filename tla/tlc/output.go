package tlc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// Errors of a run that TLC itself could not finish, for errors.Is.
var (
	ErrSpec   = errors.New("TLC cannot read the spec")
	ErrMemory = errors.New("TLC ran out of memory")
	ErrTLC    = errors.New("TLC failed")
)

// The messages of TLC's -tool mode that findings reads, by their numbers in
// tlc2.output.EC and MP.
const (
	msgOutOfMemory      = 1001
	msgInitialInvariant = 2107
	msgInitialProperty  = 2108
	msgInvariant        = 2110
	msgActionProperty   = 2112
	msgDeadlock         = 2114
	msgTemporal         = 2116
	msgBackToState      = 2122
	msgFinished         = 2186
	msgTemporalChecked  = 2192
	msgSuccess          = 2193
	msgDepth            = 2194
	msgStats            = 2199
	msgProgress         = 2200
	msgProgressSimulate = 2209
	msgStatsSimulate    = 2210
	msgState            = 2217
	msgBehaviourFollows = 2121
	msgTemporalFollows  = 2264
	msgWorkerDismissed  = 7003
)

// errorSeverity marks the messages that end a run.
const errorSeverity = 1

// Progress is how far TLC has come.
type Progress struct {
	Generated, Distinct, Queue int64
	Depth                      int
	Temporal                   bool // all states are found, and TLC checks temporal properties
}

// findings is what TLC's output says, as far as it has been read.
type findings struct {
	Progress
	finished  bool // TLC has printed its last message
	success   bool
	refuted   string // what was violated, by TLC's name
	violated  bool
	deadlock  bool
	behaviour []transition
	loop      int // number of the state that the last one goes back to; 0: none
	failure   error
	dismissed bool     // TLC's server has dismissed a worker, since nothing is left to do
	note      string   // see Outcome
	plain     []string // lines outside messages: the parser's

	line func(string) // is called with each of them; nil: nothing is
}

var (
	startMessage = regexp.MustCompile(`^@!@!@STARTMSG (\d+):(\d+) @!@!@`)
	figures      = regexp.MustCompile(`([\d,]+) states generated.*? ([\d,]+) distinct states found.*? ([\d,]+) states left on queue`)
	progressAt   = regexp.MustCompile(`^Progress\((\d+)\)`)
	depthIs      = regexp.MustCompile(`search is (\d+)`)
	checkedIs    = regexp.MustCompile(`([\d,]+) states (?:checked|generated)|generated: ([\d,]+)`)
	isViolated   = regexp.MustCompile(`(\w+) is violated`)
	stateHead    = regexp.MustCompile(`^(\d+): <(\w+)`)
	backTo       = regexp.MustCompile(`^(\d+): Back to state(?:: <(\w+))?`)
)

// read reads all of TLC's output. It calls report at each message of progress
// and when a phase begins.
func (f *findings) read(output io.Reader, report func(Progress)) error {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	code, severity := 0, 0
	var body []string
	for lines.Scan() {
		line := lines.Text()
		switch match := startMessage.FindStringSubmatch(line); {
		case match != nil:
			code, _ = strconv.Atoi(match[1])
			severity, _ = strconv.Atoi(match[2])
			body = nil
		case strings.HasPrefix(line, "@!@!@ENDMSG"):
			if err := f.message(code, severity, strings.Join(body, "\n")); err != nil {
				return err
			}
			switch code {
			case msgProgress, msgProgressSimulate, msgTemporalChecked:
				report(f.Progress)
			}
			code = 0
		case code != 0:
			body = append(body, line)
		default:
			f.plain = append(f.plain, line)
			if f.line != nil {
				f.line(line)
			}
		}
	}
	return lines.Err()
}

func (f *findings) message(code, severity int, body string) error {
	switch code {
	case msgOutOfMemory:
		f.failure = ErrMemory
	case msgInvariant, msgInitialInvariant, msgInitialProperty, msgActionProperty:
		f.violated = true
		if match := isViolated.FindStringSubmatch(body); match != nil {
			f.refuted = match[1]
		}
		if code == msgInitialInvariant || code == msgInitialProperty {
			return f.initialState(body)
		}
	case msgDeadlock:
		f.deadlock = true
	case msgTemporal:
		f.violated = true
	case msgState:
		return f.state(body)
	case msgBackToState:
		return f.back(body)
	case msgTemporalChecked:
		f.Temporal = true
	case msgFinished:
		f.finished = true
	case msgSuccess:
		f.success = true
	case msgDepth:
		if match := depthIs.FindStringSubmatch(body); match != nil {
			f.Depth, _ = strconv.Atoi(match[1])
		}
	case msgStats, msgProgress:
		f.figures(body)
	case msgProgressSimulate, msgStatsSimulate:
		if match := checkedIs.FindStringSubmatch(body); match != nil {
			f.Generated = count(match[1] + match[2])
		}
	case msgWorkerDismissed:
		f.dismissed = true
	case msgBehaviourFollows, msgTemporalFollows:
	default:
		if severity == errorSeverity && f.failure == nil {
			f.failure = f.explain(body)
		}
	}
	return nil
}

// explain makes an error of a message that ended the run.
func (f *findings) explain(body string) error {
	text := strings.Join(strings.Fields(body), " ")
	switch {
	case strings.Contains(text, "OutOfMemoryError") || strings.Contains(text, "Java ran out of memory"):
		return ErrMemory
	case strings.Contains(text, "Parsing or semantic analysis failed"):
		return fmt.Errorf("%w: %s", ErrSpec, f.parserError())
	default:
		return fmt.Errorf("%w: %s", ErrTLC, text)
	}
}

// parserError picks the error out of what SANY prints.
func (f *findings) parserError() string {
	var lines []string
	for _, line := range f.plain {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "***"), len(lines) > 0 && line != "" && !strings.HasPrefix(line, "Semantic processing"):
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

func (f *findings) figures(body string) {
	if match := progressAt.FindStringSubmatch(body); match != nil {
		f.Depth, _ = strconv.Atoi(match[1])
	}
	if match := figures.FindStringSubmatch(body); match != nil {
		f.Generated, f.Distinct, f.Queue = count(match[1]), count(match[2]), count(match[3])
	}
}

// state reads "3: <LockInit line … of module SharedBarrier>" and the state.
func (f *findings) state(body string) error {
	head, text, _ := strings.Cut(body, "\n")
	match := stateHead.FindStringSubmatch(head)
	if match == nil {
		return nil // "4: Stuttering": from here nothing happens
	}
	state, err := parseState(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTLC, err)
	}
	if len(f.behaviour) == 0 {
		f.behaviour = []transition{{"", state}}
		return nil
	}
	return f.add(transition{match[2], state})
}

// add appends a transition from the last state, unless it cannot be one.
func (f *findings) add(t transition) error {
	from := f.behaviour[len(f.behaviour)-1].to
	if len(from.Steps) != len(t.to.Steps) || t.action == spec.Call.String() && from.mover(t.to) < 0 {
		return fmt.Errorf("%w: no action %s leads from %v to %v", ErrTLC, t.action, from, t.to)
	}
	f.behaviour = append(f.behaviour, t)
	return nil
}

// initialState reads the state that TLC prints in the message itself when the
// initial state is already wrong.
func (f *findings) initialState(body string) error {
	at := strings.Index(body, `/\`)
	if at < 0 {
		return nil
	}
	state, err := parseState(body[at:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTLC, err)
	}
	f.behaviour = []transition{{"", state}}
	f.Depth = 1
	return nil
}

// back reads "29: Back to state: <GiveUp line …>", the last step of a lasso.
func (f *findings) back(body string) error {
	match := backTo.FindStringSubmatch(body)
	if match == nil {
		return fmt.Errorf("%w: no lasso in %q", ErrTLC, body)
	}
	f.loop, _ = strconv.Atoi(match[1])
	if f.loop < 1 || f.loop > len(f.behaviour) {
		return fmt.Errorf("%w: back to state %d of %d", ErrTLC, f.loop, len(f.behaviour))
	}
	return f.add(transition{match[2], f.behaviour[f.loop-1].to})
}

// property names what was refuted: a spec.Property where it is one.
func (f *findings) property(q Question) string {
	switch {
	case f.deadlock, f.refuted == noDeadlock:
		return spec.NoHang.String()
	case !slices.Contains(q.Formulas(), f.refuted) && len(q.Properties) == 1:
		// TLC names no temporal property, and of a refinement only the place.
		return q.Properties[0]
	default:
		return f.refuted
	}
}

// count reads a number with commas between thousands.
func count(text string) int64 {
	n, _ := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	return n
}
