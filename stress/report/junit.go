//go:build linux

package report

import "io"

// JUnit writes the document as JUnit XML.
func (d Document) JUnit(out io.Writer) error { return nil }
