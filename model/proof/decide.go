package proof

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"

	"sharedbarrier/model/proof/certificate"
	"sharedbarrier/model/proof/simplex"
)

// A shipped certificate belongs to the condition whose negation has the key.
// Conditions of several scenarios may have the same.
type entry struct {
	Key         key
	Certificate []byte
}

// A key is the beginning of the SHA-256 of a negation.
type key [8]byte

func keyOf(negation certificate.Formula) (k key) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", negation))
	copy(k[:], sum[:])
	return k
}

//go:embed certificates.bin
var shipped []byte

// certificates returns the certificates that ship with the package.
var certificates = sync.OnceValues(func() (map[key][]byte, error) {
	list, err := unpack(shipped)
	byKey := make(map[key][]byte)
	for _, e := range list {
		byKey[e.Key] = e.Certificate
	}
	return byKey, err
})

// pack and unpack have the form of the file: gob, compressed by DEFLATE.
func pack(list []entry) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err := errors.Join(err, gob.NewEncoder(z).Encode(list), z.Close()); err != nil {
		panic(err) // a Buffer takes all
	}
	return b.Bytes()
}

func unpack(file []byte) (list []entry, err error) {
	rest := bytes.NewReader(file)
	decoder := gob.NewDecoder(flate.NewReader(rest))
	err = decoder.Decode(&list)
	if err == nil && (decoder.Decode(new([]entry)) != io.EOF || rest.Len() > 0) {
		err = errors.New("they do not end where they should")
	}
	if err != nil {
		return nil, fmt.Errorf("proof: the certificates are damaged: %w; %s writes them again", err, Rewrite)
	}
	return list, nil
}

// Rewrite is the command that makes the certificates that ship.
const Rewrite = "go test ./model/proof -run TestGolden_Certificates -update"

// ErrNoCertificate says that no certificate ships for a condition.
var ErrNoCertificate = errors.New("no certificate ships for this condition")

// Verify checks the certificate that ships for the condition. It returns nil if
// the condition is valid. Otherwise the error says nothing about the condition:
// it wraps ErrNoCertificate or certificate.ErrRejected, or the certificates
// are damaged.
func (c Condition) Verify() error {
	list, err := certificates()
	if err != nil {
		return err
	}
	negation := c.Negation()
	proof, ok := list[keyOf(negation)]
	if !ok {
		return ErrNoCertificate
	}
	return certificate.Check(negation, proof)
}

// fewest is the number of processes up to which Decide looks for a
// counterexample with fewer.
const fewest = 8

// Decide returns a certificate that the condition is valid, or a
// counterexample. It has checked the certificate, or evaluated the
// counterexample, which has the fewest processes if these are at most 8.
//
// It fails with simplex.ErrUndecided, or with the error of ctx.
func (c Condition) Decide(ctx context.Context) (proof []byte, ce *Counterexample, err error) {
	negation := c.Negation()
	proof, x, err := simplex.Decide(ctx, negation, len(variables))
	if err != nil {
		return nil, nil, err
	}
	if x == nil {
		return proof, nil, certificate.Check(negation, proof)
	}
	for most := 1; most <= fewest; most++ {
		bounded := certificate.Formula{Kind: certificate.All, Parts: []certificate.Formula{formula(le(n, num(most)), true), negation}}
		if _, smaller, err := simplex.Decide(ctx, bounded, len(variables)); err == nil && smaller != nil {
			x = smaller
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ce, err = c.Counterexample(stateOf(x))
	return nil, ce, err
}
