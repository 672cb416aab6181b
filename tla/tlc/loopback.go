package tlc

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"time"
)

// loopback is Loopback.java, compiled. TestGolden_Loopback compiles it.
//
//go:embed Loopback.class
var loopback []byte

// The files that every run of TLC has in its folder: a copy of the jar that was
// checked, and one of Loopback.class.
const (
	tlcJar      = "tlc.jar"
	loopbackJar = "loopback.jar"
)

// laid is the time of change of all files that a run begins with.
var laid = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// jarOf returns a jar with one class.
func jarOf(name string, class []byte) ([]byte, error) {
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	file, err := w.CreateHeader(&zip.FileHeader{Name: name, Modified: laid})
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(class); err != nil {
		return nil, err
	}
	err = w.Close()
	return jar.Bytes(), err
}
