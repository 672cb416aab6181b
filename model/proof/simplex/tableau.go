package simplex

import (
	"slices"

	"sharedbarrier/model/proof/certificate"
)

// A tableau has variables with bounds. Some of the variables, the basic ones,
// are sums of multiples of the others. The value of each variable agrees with
// these sums, and those of the other variables with their bounds. The algorithm
// is that of B. Dutertre and L. de Moura, A fast linear-arithmetic solver for
// DPLL(T), 2006.
type tableau struct {
	value  []rational
	bounds [2][]bound // lower, upper; by variable
	row    []int      // of a basic variable; -1: it is not basic
	rows   [][]rational
	basic  []int   // the variable of a row
	column []int   // the variable of a column of rows
	undo   []limit // the bounds that were replaced
}

// A bound is an inequality that bounds a variable from one side; because is nil
// if there is none.
type bound struct {
	at      int64
	because *certificate.Formula
}

// A limit is a bound of a variable.
type limit struct {
	side, variable int
	bound
}

const lower, upper = 0, 1

// A summand is a positive multiple of an inequality.
type summand struct {
	by rational
	of *certificate.Formula
}

// newTableau returns a tableau with variables numbered from 0, the first of
// which are columns. The others are the forms: sums of multiples of them.
func newTableau(columns int, forms [][]rational) *tableau {
	t := &tableau{rows: forms}
	for v := range columns + len(forms) {
		t.value = append(t.value, zero)
		if v < columns {
			t.column, t.row = append(t.column, v), append(t.row, -1)
		} else {
			t.basic, t.row = append(t.basic, v), append(t.row, v-columns)
		}
	}
	for side := range t.bounds {
		t.bounds[side] = make([]bound, len(t.value))
	}
	return t
}

// past reports whether a value is outside a bound of the side.
func past(side int, value rational, b bound) bool {
	if b.because == nil {
		return false
	}
	if side == lower {
		return value.less(whole(b.at))
	}
	return whole(b.at).less(value)
}

// assert adds a bound. It returns a contradiction if the variable has no value
// within its bounds.
func (t *tableau) assert(l limit) []summand {
	v, side := l.variable, l.side
	old, other := t.bounds[side][v], t.bounds[1-side][v]
	if old.because != nil && !past(side, whole(old.at), l.bound) {
		return nil
	}
	if past(side, whole(other.at), l.bound) && other.because != nil {
		return []summand{{one, other.because}, {one, l.because}}
	}
	t.undo = append(t.undo, limit{side, v, old})
	t.bounds[side][v] = l.bound
	if t.row[v] < 0 && past(side, t.value[v], l.bound) {
		t.move(slices.Index(t.column, v), whole(l.at).minus(t.value[v]))
	}
	return nil
}

// retract removes the bounds that were asserted after undo had the length.
func (t *tableau) retract(length int) {
	for len(t.undo) > length {
		last := t.undo[len(t.undo)-1]
		t.bounds[last.side][last.variable] = last.bound
		t.undo = t.undo[:len(t.undo)-1]
	}
}

// move adds to the value of a column's variable.
func (t *tableau) move(column int, by rational) {
	v := t.column[column]
	t.value[v] = t.value[v].plus(by)
	for r, row := range t.rows {
		if row[column] != zero {
			t.value[t.basic[r]] = t.value[t.basic[r]].plus(row[column].times(by))
		}
	}
}

// solve moves all variables within their bounds. It returns a contradiction if
// there are no such values.
func (t *tableau) solve() []summand {
	for {
		v, side := t.outside()
		if v < 0 {
			return nil
		}
		r := t.row[v]
		column := t.adjustable(r, side)
		if column < 0 {
			return t.contradiction(r, side)
		}
		to := whole(t.bounds[side][v].at)
		t.move(column, to.minus(t.value[v]).times(t.rows[r][column].inverse()))
		t.pivot(r, column)
	}
}

// outside returns the first basic variable that is outside a bound, and the
// side; -1: there is none. That it is the first ensures that solve ends.
func (t *tableau) outside() (variable, side int) {
	for v := range t.value {
		if t.row[v] >= 0 {
			for side := range t.bounds {
				if past(side, t.value[v], t.bounds[side][v]) {
					return v, side
				}
			}
		}
	}
	return -1, 0
}

// adjustable returns the column whose variable is the first that can move the
// basic variable of the row towards its bound on the side; -1: there is none.
func (t *tableau) adjustable(r, side int) int {
	best := -1
	for column, factor := range t.rows[r] {
		if factor == zero || best >= 0 && t.column[best] < t.column[column] {
			continue
		}
		v, towards := t.column[column], t.holder(factor, side)
		if b := t.bounds[towards][v]; b.because == nil || t.value[v] != whole(b.at) {
			best = column
		}
	}
	return best
}

// holder returns the side on which a bound of a column's variable keeps a basic
// variable, of which it is a summand with the factor, from its bound on side.
func (t *tableau) holder(factor rational, side int) int {
	if factor.num > 0 {
		return 1 - side
	}
	return side
}

// contradiction adds the bounds that keep the basic variable of the row from
// its bound on the side.
func (t *tableau) contradiction(r, side int) []summand {
	list := []summand{{one, t.bounds[side][t.basic[r]].because}}
	for column, factor := range t.rows[r] {
		if factor != zero {
			held := t.bounds[t.holder(factor, side)][t.column[column]]
			list = append(list, summand{rational{max(factor.num, -factor.num), factor.den}, held.because})
		}
	}
	return list
}

// pivot makes the variable of the column basic, and that of the row not.
func (t *tableau) pivot(r, column int) {
	row := t.rows[r]
	by := row[column].inverse()
	for c := range row {
		if c != column && row[c] != zero {
			row[c] = row[c].times(by).negated()
		}
	}
	row[column] = by
	for other, target := range t.rows {
		if other == r || target[column] == zero {
			continue
		}
		factor := target[column]
		target[column] = zero
		for c := range row {
			if row[c] != zero {
				target[c] = target[c].plus(factor.times(row[c]))
			}
		}
	}
	in, out := t.column[column], t.basic[r]
	t.column[column], t.basic[r] = out, in
	t.row[in], t.row[out] = r, -1
}
