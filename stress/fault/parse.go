package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sharedbarrier/spec"
)

// Most is the largest number of faults that one run can have.
const Most = 8

// mostAmount bounds the numbers in a fault, and mostBusy the busy processes: more
// would take the machine from everybody on it.
const (
	mostAmount = 1 << 20
	mostBusy   = 256
)

// ErrFault is what is wrong with a fault that a user has given.
var ErrFault = errors.New("fault")

// ParseAll reads a list of faults, at most Most. Its errors wrap ErrFault.
func ParseAll(texts []string) (faults []Fault, err error) {
	if len(texts) > Most {
		return nil, fmt.Errorf("%w: %d are given, and a run can have %d", ErrFault, len(texts), Most)
	}
	for _, text := range texts {
		f, err := Parse(text)
		if err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// Parse reads a fault: KIND[:WHO|AMOUNT][@STEP][:DURATION][:PERCENT|:xN]. Its
// errors wrap ErrFault and say what is possible.
func Parse(text string) (f Fault, err error) {
	head, rest, _ := strings.Cut(text, ":")
	name, _, _ := strings.Cut(head, "@")
	f.Kind = Kind(slices.IndexFunc(kinds[:], func(k allowed) bool { return k.name == name }))
	if f.Kind >= numKinds {
		var names []string
		for _, k := range kinds {
			names = append(names, k.name)
		}
		return Fault{}, fmt.Errorf("%w %.80q: no kind is named %.40q; the kinds are %s", ErrFault, text, name, strings.Join(names, ", "))
	}
	parts := []string{head[len(name):]}
	if strings.Contains(text, ":") {
		parts = append(parts, strings.Split(rest, ":")...)
	}
	if err := f.parts(parts); err != nil {
		return Fault{}, fmt.Errorf("%w %.80q: %w; the form is %s", ErrFault, text, err, kinds[f.Kind].form)
	}
	return f, nil
}

// parts reads what follows the name of the kind. The first part can have a
// place only.
func (f *Fault) parts(parts []string) error {
	for i, part := range parts {
		part, place, placed := strings.Cut(part, "@")
		if placed {
			if err := f.place(place); err != nil {
				return err
			}
		}
		if i == 0 {
			continue
		}
		if err := f.part(part); err != nil {
			return err
		}
	}
	return f.complete()
}

// part reads one part: who, a word, an amount, a duration, a percentage or a
// number of times.
func (f *Fault) part(part string) error {
	k := kinds[f.Kind]
	number, isNumber := parseNumber(part)
	percent, isPercent := strings.CutSuffix(part, "%")
	times, isTimes := strings.CutPrefix(part, "x")
	who := slices.Index(whos[:], part)
	switch {
	case part == "":
		return errors.New("a part is empty")
	case slices.Contains(k.words, part) && f.Word == "":
		f.Word = part
	case isNumber && k.amount && f.Amount == 0 && number > 0:
		f.Amount = number
	case isNumber && k.who != Default && f.Who == Default:
		f.Who, f.Worker = Number, number
	case who > 0 && k.who != Default && f.Who == Default:
		f.Who = Who(who)
	case isPercent && k.often && f.Kind != Relink && f.Percent == 0:
		return f.percent(percent)
	case isTimes && k.often && f.Times == 0:
		var is bool
		if f.Times, is = parseNumber(times); !is || f.Times == 0 {
			return fmt.Errorf("%.40q is no number of times from x1 to x%d", part, mostAmount)
		}
	default:
		d, err := time.ParseDuration(part)
		if err != nil || d <= 0 || k.lasts == 0 || f.Lasts != 0 || isNumber {
			return fmt.Errorf("%.40q has no place here", part)
		}
		f.Lasts = d
	}
	return nil
}

// parseNumber reads a decimal number from 0 to mostAmount, without a sign and
// without leading zeros.
func parseNumber(text string) (n int, is bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && 0 <= n && n <= mostAmount && strconv.Itoa(n) == text
}

func (f *Fault) percent(text string) (err error) {
	if strings.Trim(text, "0123456789.") == "" {
		f.Percent, err = strconv.ParseFloat(text, 64)
	}
	if err != nil || f.Percent <= 0 || f.Percent > 100 {
		return fmt.Errorf("%.40q is no percentage from above 0%% to 100%%", text+"%")
	}
	return nil
}

func (f *Fault) place(place string) error {
	k := kinds[f.Kind]
	var possible []string
	if k.places != nil {
		for _, s := range spec.AllSteps {
			if k.places(s) {
				possible = append(possible, s.String())
			}
		}
	}
	if k.end {
		possible = append(possible, "end")
	}
	switch i := slices.Index(possible, place); {
	case len(possible) == 0:
		return errors.New("it happens at no step")
	case f.At != Anywhere:
		return errors.New("it names two steps")
	case i < 0:
		return fmt.Errorf("%.40q is no step for it; the steps are %s", place, strings.Join(possible, ", "))
	case place == "end":
		f.At = End
	default:
		step, err := spec.ParseStep(place)
		if err != nil {
			return err
		}
		f.At = Before(step)
	}
	return nil
}

// complete reports what is missing or does not go together.
func (f *Fault) complete() error {
	k := kinds[f.Kind]
	switch {
	case k.who == Number && f.Who == Default:
		return errors.New("it does not say who: one, any, all, holder, or the number of a worker")
	case len(k.words) > 0 && f.Word == "":
		return fmt.Errorf("it needs one of %s", strings.Join(k.words, ", "))
	case k.amount && f.Amount == 0:
		return errors.New("it needs a number, at least 1")
	case f.Kind == Busy && f.Amount > mostBusy:
		return fmt.Errorf("give at most %d processes", mostBusy)
	case f.Percent > 0 && f.Times > 0:
		return errors.New("it says twice how often")
	case f.Kind == GiveUp && f.Percent == 0 && f.Times == 0:
		return errors.New("it does not say how often, as in give-up:5%")
	case f.Kind == Construct && f.who() != One && f.Who != Number:
		return errors.New("one worker constructs late: one, or its number")
	case f.Kind == Kill && f.Times > 1 && f.who() != Any:
		return errors.New("a worker dies only once; kill:any:x2 kills two")
	case f.Who == Holder && (f.Kind == GiveUp || f.Kind == WalkAway):
		return errors.New("a holder of the lock does not wait")
	case f.Who == Holder && f.At != Anywhere:
		return errors.New("the holder of the lock is at a step under the lock; name a step or the holder")
	case f.At == End && f.Percent > 0:
		return errors.New("a worker comes to its end only once")
	}
	return nil
}
