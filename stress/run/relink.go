//go:build linux

package run

import (
	"errors"
	"os"
	"time"

	"sharedbarrier/stress/fault"
)

// relinkAgain replaces the lock file as often as the fault says, while the
// workers call.
func (d *disturber) relinkAgain(index int, f fault.Fault) {
	rounds := d.plan.Relinks() // nil: by time
	for n := 0; f.Times == 0 && f.Lasts > 0 || n < max(1, f.Times); n++ {
		if f.Lasts > 0 {
			select {
			case <-time.After(f.Lasts):
			case <-d.ctx.Done():
				return
			}
		} else if !d.awaitRound(rounds[n]) {
			return
		}
		if relink(d.lockPath) {
			d.happened[index].Add(1)
		}
	}
}

// awaitRound waits until the workers are in the round or in a later one. It
// returns false if the run ends before.
func (d *disturber) awaitRound(round int64) bool {
	for d.ledger.Rounds()+1 < round {
		select {
		case <-d.ctx.Done():
			return false
		default:
			nap(100 * time.Microsecond)
		}
	}
	return d.ctx.Err() == nil
}

// relink unlinks the file and makes it again, and reports whether the path now
// names another file. A worker may be the first to make it.
func relink(path string) bool {
	old, err := os.Open(path) // so that no new file gets its number
	if err != nil {
		return false
	}
	defer old.Close()
	before, err := old.Stat()
	if err != nil || os.Remove(path) != nil {
		return false
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		file.Close()
	} else if !errors.Is(err, os.ErrExist) {
		return false
	}
	after, err := os.Stat(path)
	return err == nil && !os.SameFile(before, after)
}
