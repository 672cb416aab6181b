//go:build linux

package run

import (
	"testing"
	"time"
)

// SetLimits sets the limits beside Stall until the test ends.
func SetLimits(t *testing.T, start, last time.Duration) {
	wasStart, wasLast := startUp, lastCall
	startUp, lastCall = start, last
	t.Cleanup(func() { startUp, lastCall = wasStart, wasLast })
}

// Overdue is overdue, for a witness of a run that is over or not.
var Overdue = overdue
