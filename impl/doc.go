// Package impl is the shared barrier itself: three words in /dev/shm and one
// lock file taken with flock(2), as spec/PROTOCOL.md lays them down. Processes
// that share nothing but two names meet in it, round after round, whatever
// language they are written in.
//
//	b, err := impl.Attach(ctx, "job.barrier", "/run/job/barrier.lock")
//	if err != nil {
//		return err
//	}
//	defer b.Close()
//	for range rounds {
//		work()
//		if err := b.Wait(ctx, parties); err != nil {
//			return err
//		}
//	}
//
// One process makes the barrier with [Create] before anyone waits in it; the
// others use [Attach]. [Barrier.Wait] is written to be read beside PROTOCOL.md, step by
// step. A call whose context ends leaves as if it had never come.
//
// # One handle, one party
//
// A Barrier is the handle of one party: a goroutine or a process that wants to
// take part opens its own. Two calls of Wait at once on one handle are refused
// with [ErrBusy]. A handle is not for use in a forked child: Go programs do not
// fork without exec, and the lock's descriptor, the only one that stays open, is closed on exec.
//
// # Limits
//
// Linux only; elsewhere everything returns [errors.ErrUnsupported]. All callers
// of a round must pass the same party count, and no more processes may call
// than it says. A party that dies inside a call leaves its half step in the
// words and the others waiting: give Wait a context that ends. /dev/shm and the
// lock file must be on the machine that all parties run on.
package impl
