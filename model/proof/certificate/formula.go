package certificate

// A Formula is true or false of integers x[0], x[1], …: an inequality, or all
// or any of its parts. The zero Formula is all of none, which is true.
type Formula struct {
	Kind  Kind
	Parts []Formula // All, Any
	Sum   []Term    // Inequality: the sum is at most Bound
	Bound int64
}

// Kind says what a Formula is true of.
type Kind uint8

// The kinds of formulas.
const (
	All Kind = iota
	Any
	Inequality
)

// A Term is Factor · x[Variable].
type Term struct {
	Variable int
	Factor   int64
}

// True reports whether the formula is true of x. A variable for which x is too
// short is 0.
func (f *Formula) True(x []int64) bool {
	switch f.Kind {
	case Inequality:
		sum := int64(0)
		for _, t := range f.Sum {
			if t.Variable < len(x) {
				sum += t.Factor * x[t.Variable]
			}
		}
		return sum <= f.Bound
	default:
		for i := range f.Parts {
			if f.Parts[i].True(x) == (f.Kind == Any) {
				return f.Kind == Any
			}
		}
		return f.Kind == All
	}
}
