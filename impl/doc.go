// Package impl is the shared barrier of spec/PROTOCOL.md: three words in
// /dev/shm and one lock file taken with flock(2). Processes that share two
// names, in whatever language, meet in it round after round.
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
// One process makes the barrier with [Create] before any party calls
// [Barrier.Wait]; the others use [Attach]. Wait takes the steps of PROTOCOL.md,
// under their names and in their order.
//
// # The schedule
//
// Where PROTOCOL.md leaves a choice, a call takes the one that costs least. It
// keeps the lock from a release to its next acquisition if it does not wait in
// between (section 3): most calls take the lock twice a round, to count
// themselves in and out. It begins with a few yields while the last round drains
// (section 8). With a hook ([Barrier.SetHook]) it keeps no lock.
//
// # One handle, one party
//
// A Barrier is the handle of one party. Each goroutine or process that takes
// part opens its own; a second call on a handle in use fails with [ErrBusy]. A
// handle is not for use in a forked child. The descriptors of the segment and
// of the lock file stay open, and are closed on exec.
//
// # Trust
//
// A handle trusts the owners of the segment and of the lock file, all who may
// write them, and all who may rename or unlink the lock file. If a file belongs
// to another user, and third users can write it, opening it fails with
// [ErrUntrusted] unless [TrustOthers] is passed. All who can open the lock file
// can hold the lock without end.
//
// # Cost of waiting
//
// A waiter wakes every spec.Tick, since some peers wake no process: about 0.5 %
// of a processor. A waiter for a lock that another process keeps looks first
// often, and later every 5 ms: about 0.8 %.
//
// # Limits
//
// On systems other than Linux every function fails with
// [errors.ErrUnsupported]. The machine of /dev/shm and the lock file must be
// the one that all parties run on. All parties of a round must pass the same
// count, and exactly so many must call. When a party dies in a call the words
// keep what it wrote, and the others wait. Give Wait a context that ends.
package impl
