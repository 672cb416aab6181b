package proof

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/proof/certificate"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// proved lists the conditions of all scenarios, those with the same negation
// once.
func proved(t *testing.T) (list []Condition) {
	t.Helper()
	known := map[key]bool{}
	for _, sc := range []spec.Scenario{spec.Withdraw, spec.Reuse, spec.Single} {
		table, err := Scenario(sc)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range Conditions(table) {
			if k := keyOf(c.Negation()); !known[k] {
				known[k] = true
				list = append(list, c)
			}
		}
	}
	return list
}

// TestGolden_Certificates: the file has the certificate of each condition of
// each scenario, and no other.
func TestGolden_Certificates(t *testing.T) {
	t.Parallel()
	var want []entry
	for _, c := range proved(t) {
		proof, example, err := c.Decide(t.Context())
		if err != nil || example != nil {
			t.Fatalf("%s: Decide: got %v, %v, want a certificate", c.Name, example, err)
		}
		want = append(want, entry{keyOf(c.Negation()), proof})
	}
	slices.SortFunc(want, func(a, b entry) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	file := pack(want)
	if got, err := unpack(shipped); err == nil && slices.EqualFunc(got, want, func(a, b entry) bool {
		return a.Key == b.Key && bytes.Equal(a.Certificate, b.Certificate)
	}) {
		file = shipped // another release of Go may compress it differently
	}
	golden.File(t, "certificates.bin", string(file))
	size := 0
	for _, e := range want {
		size += len(e.Certificate)
	}
	t.Logf("%d certificates of %d bytes, %d bytes compressed", len(want), size, len(file))
}

// TestHazard_DamagedFile: a file of certificates that is cut short, or has more
// in it, is not read.
func TestHazard_DamagedFile(t *testing.T) {
	list, err := unpack(shipped)
	if err != nil {
		t.Fatal(err)
	}
	var two bytes.Buffer
	z, _ := flate.NewWriter(&two, flate.BestSpeed)
	encoder := gob.NewEncoder(z)
	if err := errors.Join(encoder.Encode(list), encoder.Encode(list), z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"empty":      nil,
		"half":       shipped[:len(shipped)/2],
		"end":        shipped[:len(shipped)-1],
		"a byte":     append(slices.Clip(shipped), 0),
		"two values": two.Bytes(),
	} {
		if got, err := unpack(file); err == nil || !strings.Contains(err.Error(), Rewrite) {
			t.Errorf("%s: unpack: got %d certificates, %v, want an error that names the command that writes them", name, len(got), err)
		}
	}
}

// A proofNode is a node of a certificate, to be edited.
type proofNode struct {
	kind  uint64
	pairs [][2]uint64           // Sum: inequality, multiplier
	of    []certificate.Formula // inequalities by number
	split uint64                // Split: the choice
	parts []*proofNode
}

// parse reads a node of a certificate of f. It numbers choices like Check.
func parse(rest *[]byte, f certificate.Formula, inequalities []certificate.Formula, choices [][]certificate.Formula) *proofNode {
	next := func() uint64 {
		k, n := binary.Uvarint(*rest)
		*rest = (*rest)[n:]
		return k
	}
	var assume func(certificate.Formula)
	assume = func(f certificate.Formula) {
		switch f.Kind {
		case certificate.Inequality:
			inequalities = append(inequalities, f)
		case certificate.Any:
			choices = append(choices, f.Parts)
		default:
			for _, part := range f.Parts {
				assume(part)
			}
		}
	}
	assume(f)
	n := &proofNode{kind: next(), of: inequalities}
	if n.kind == certificate.Sum {
		for k := next(); k > 0; k-- {
			n.pairs = append(n.pairs, [2]uint64{next(), next()})
		}
		return n
	}
	n.split = next()
	for _, part := range choices[n.split] {
		n.parts = append(n.parts, parse(rest, part, slices.Clip(inequalities), slices.Clip(choices)))
	}
	return n
}

func (n *proofNode) bytes() (b []byte) {
	b = binary.AppendUvarint(b, n.kind)
	if n.kind == certificate.Sum {
		b = binary.AppendUvarint(b, uint64(len(n.pairs)))
		for _, p := range n.pairs {
			b = binary.AppendUvarint(binary.AppendUvarint(b, p[0]), p[1])
		}
		return b
	}
	b = binary.AppendUvarint(b, n.split)
	for _, part := range n.parts {
		b = append(b, part.bytes()...)
	}
	return b
}

// edits changes the node and each below it in each way, one at a time.
func (n *proofNode) edits(visit func(what string)) {
	for i := range n.pairs {
		p := n.pairs[i]
		if n.pairs[i][1]++; len(n.of[p[0]].Sum) > 0 {
			visit("multiplier")
		}
		n.pairs[i] = [2]uint64{p[0] + 1, p[1]}
		if p[0]+1 == uint64(len(n.of)) || !slices.Equal(n.of[p[0]].Sum, n.of[p[0]+1].Sum) {
			visit("inequality")
		}
		n.pairs[i] = p
		all := n.pairs
		n.pairs = slices.Concat(all[:i], all[i+1:])
		visit("summand")
		n.pairs = all
	}
	for i, part := range n.parts {
		if i > 0 {
			n.parts[i-1], n.parts[i] = n.parts[i], n.parts[i-1]
			visit("order of parts")
			n.parts[i-1], n.parts[i] = n.parts[i], n.parts[i-1]
		}
		all := n.parts
		n.parts = slices.Concat(all[:i], all[i+1:])
		visit("number of parts")
		n.parts = all
		part.edits(visit)
	}
	if n.kind == certificate.Split {
		n.split++
		visit("choice")
		n.split--
	}
}

// TestHazard_EditedCertificates: no shipped certificate proves its condition any
// more after an edit, and none proves another condition.
func TestHazard_EditedCertificates(t *testing.T) {
	t.Parallel()
	conditions := proved(t)
	list, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	const stride = 97 // a prime; all edits take half a minute
	edit := 0
	for i, c := range conditions {
		f := c.Negation()
		text := list[keyOf(f)]
		reject := func(what string, changed func() []byte) {
			if edit++; edit%stride != 0 {
				return
			}
			if spoilt := changed(); !bytes.Equal(spoilt, text) && certificate.Check(f, spoilt) == nil {
				t.Errorf("%s: Check accepts its certificate with an edited %s", c.Name, what)
			}
		}
		rest := text
		root := parse(&rest, f, nil, nil)
		root.edits(func(what string) { reject(what, root.bytes) })
		for end := range text {
			reject("end", func() []byte { return text[:end] })
		}
		edit = stride - 1 // this one always
		reject("end", func() []byte { return append(slices.Clip(text), 0) })
		other := conditions[(i+1)%len(conditions)]
		if err := certificate.Check(other.Negation(), text); !errors.Is(err, certificate.ErrRejected) {
			t.Errorf("%s: Check of the certificate of %s: got %v, want ErrRejected", other.Name, c.Name, err)
		}
	}
}

// vector is the inverse of stateOf.
func vector(s *State) (x []int64) {
	x = append(x, int64(s.N), int64(s.Lock))
	for _, w := range spec.AllWords {
		x = append(x, int64(*wordOf(&s.Words, w)))
	}
	for _, g := range Groups {
		for _, step := range Steps {
			x = append(x, int64(s.At[g][step]))
		}
	}
	return x
}

// TestConform_Negation: the negation of a condition is true of the states that
// refute it, and of no others. The states are those that two processes reach,
// and those around them. TestHazard_FalseConditions has states that refute a
// condition.
func TestConform_Negation(t *testing.T) {
	states := Search(Protocol(), 2).States
	for _, c := range Conditions(Protocol()) {
		for range 2 {
			agree(t, c, states[random.IntN(len(states))])
		}
	}
}

var random = rand.New(rand.NewPCG(1, 2))

// agree compares what the negation of the condition and Refuted say of the
// state, of each state in which one number is lower or higher by one, and of
// those with many more processes at one place.
func agree(t *testing.T, c Condition, s State) {
	t.Helper()
	f, x := c.Negation(), vector(&s)
	compare := func() {
		s := stateOf(x)
		_, _, refuted := c.Refuted(&s)
		if got := f.True(x); got != refuted {
			t.Fatalf("condition %s: the negation is %v of %v, want %v", c.Name, got, s, refuted)
		}
	}
	compare()
	parties := variables["n"]
	for v := range x {
		number, n := x[v], x[parties]
		for _, by := range []int64{-1, 1} {
			x[v] = number + by
			compare()
		}
		if v >= variables[counter(Behind, Steps[0])] {
			x[v], x[parties] = number+99, n+99
			compare()
		}
		x[v], x[parties] = number, n
	}
}

// TestHazard_FalseConditions: the conditions of mutants, and of the invariant
// without a clause, that a state refutes get no certificate, and the one that
// ships under their name does not prove them.
func TestHazard_FalseConditions(t *testing.T) {
	list, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	shipped := map[string][]byte{}
	for _, c := range Conditions(Protocol()) {
		shipped[c.Name] = list[keyOf(c.Negation())]
	}
	weaker := TheInvariant()
	weaker.Draining = weaker.Draining[:len(weaker.Draining)-1]
	var conditions []Condition
	for i, m := range Mutants() {
		if i%8 == 0 { // TestHazard_Mutants decides those of all
			conditions = append(conditions, Conditions(m.Table())...)
		}
	}
	conditions = append(conditions, ConditionsOf(Protocol(), weaker, TheRank())...)
	refuted := 0
	for _, c := range conditions {
		f := c.Negation()
		if list[keyOf(f)] != nil {
			continue // Verify proves it
		}
		proof, example, err := c.Decide(t.Context())
		if err != nil {
			t.Fatalf("%s: Decide: %v", c.Name, err)
		}
		if example == nil {
			continue
		}
		refuted++
		agree(t, c, example.Before)
		if err := c.Verify(); proof != nil || !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: refuted by\n%v, yet Decide returns a certificate of %d bytes, and Verify %v", c.Name, example, len(proof), err)
		}
		if err := certificate.Check(f, shipped[c.Name]); !errors.Is(err, certificate.ErrRejected) {
			t.Errorf("%s: refuted by\n%v, yet Check of the certificate that ships under its name returns %v", c.Name, example, err)
		}
	}
	if t.Logf("%d conditions refuted", refuted); refuted < 8 {
		t.Errorf("%d conditions are refuted, want more", refuted)
	}
}
