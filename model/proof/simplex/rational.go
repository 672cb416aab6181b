package simplex

// A rational is a number num/den in lowest terms with den > 0.
type rational struct{ num, den int64 }

var zero, one = rational{0, 1}, rational{1, 1}

func whole(k int64) rational { return rational{k, 1} }

// tooLarge is the panic of arithmetic whose result does not fit.
type tooLarge struct{}

const most = 1 << 31

func reduce(num, den int64) rational {
	if den != 1 {
		g := gcd(num, den)
		num, den = num/g, den/g
	}
	if num >= most || num <= -most || den >= most {
		panic(tooLarge{})
	}
	return rational{num, den}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

func (a rational) plus(b rational) rational {
	if a.den == b.den {
		return reduce(a.num+b.num, a.den)
	}
	return reduce(a.num*b.den+b.num*a.den, a.den*b.den)
}

func (a rational) times(b rational) rational { return reduce(a.num*b.num, a.den*b.den) }
func (a rational) negated() rational         { return rational{-a.num, a.den} }
func (a rational) minus(b rational) rational { return a.plus(b.negated()) }

func (a rational) inverse() rational {
	if a.num < 0 {
		return rational{-a.den, -a.num}
	}
	return rational{a.den, a.num}
}

func (a rational) less(b rational) bool { return a.num*b.den < b.num*a.den }
