// Package group is the barrier for production: a group of processes that know
// each other, at one barrier (spec/GROUP.md). It is as safe as package impl and
// faster; it says who is missing; and it survives its members.
//
//	g, err := group.Join(ctx, group.Config{
//		Name: "job.barrier", LockPath: "/run/job/barrier.lock",
//		Parties: 8, Rank: 3, Label: "loader 3",
//	})
//	if err != nil {
//		return err
//	}
//	defer g.Leave()
//	for range rounds {
//		work()
//		if err := g.Wait(ctx); err != nil {
//			return err
//		}
//	}
//
// Members share the words and the lock of spec/PROTOCOL.md with foreign
// parties: those of package impl, the Python original, and others. Each foreign
// party takes the place of a rank that no member has. A group has a segment of
// its own besides, /dev/shm/NAME.group.
//
// # All or none
//
// Of the calls that members make in one round, either each one returns nil or
// none does. When a member dies, by whatever cause and wherever it is, the
// kernel tells another member, and the round is broken: each call in it returns
// a [*BrokenError], and so does the next call of a member that was not in one.
// The words are then as if the round had not begun. A round that was complete
// stays complete.
//
// The group stays broken until a process joins with the rank of the dead, or
// [Group.Reset] makes the rank vacant. Then rounds go on.
//
// # Cost of waiting
//
// A waiter spins only while the members that do not sleep are no more than the
// processors that this process may run on, and not for long; otherwise it yields
// a few times. Then it sleeps. In the first spec.Tick of that it keeps its
// processor of the Go runtime, if GOMAXPROCS is greater than the number of
// members in this process; if they are as many, other goroutines run first, and
// it does so for 2 ms. A waiter asleep looks after the others three times a
// second. While a rank has no member, one waiter also looks for a foreign party,
// at least once per spec.Tick.
//
// # Limits
//
// One Group is one member, with a thread that guards another one; it is not for
// use in a forked child. The trust is that of package impl. On systems other
// than Linux each function fails with [errors.ErrUnsupported]. A member that is
// stopped while it holds the lock keeps all others from a round until it goes
// on; their calls end with their contexts. Leave waits for the lock then.
//
// The thread of a member is a goroutine. If other goroutines compute on all
// processors of its Go runtime, it runs after 10 ms for each of those before it:
// a death that it notices is told that much later.
package group
