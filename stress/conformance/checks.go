//go:build linux

package conformance

// A Check is one thing that a port must pass.
type Check struct {
	Name    string
	Clauses []Clause // what it stands for, the main one first; others that a port may break there
	Doc     string   // what the port must do
	// run returns what the check has found. An error says why the port has not
	// passed, or is notAsked.
	run func(*subject) (found string, err error)
	// early checks begin with the first one, and mostly wait.
	early bool
}

// Checks lists all checks in the order in which Run makes them. What fails
// first says most about the mistake.
var Checks = []Check{
	{"conversation", []Clause{ports(1), ports(2), ports(3)}, "it opens, refuses requests that are not in place, and ends", conversation, false},
	{"attaching", []Clause{protocol(6), protocol(2), protocol(9), ports(2), ports(3)}, "it writes nothing to a segment that it opens, and refuses a file that is no segment", attaching, false},
	{"tour n=2", []Clause{protocol(4), protocol(5), ports(3)}, "each edge of the state graph for 2 processes, step by step", tour(2), false},
	{"tour n=3", []Clause{protocol(4), protocol(5), ports(3)}, "each edge of the state graph for 3 processes, step by step", tour(3), false},
	{"lock file", []Clause{protocol(3, 1), protocol(3, 3), ports(2)}, "it locks the file that the path names now, and no child inherits the descriptor", lockFile, false},
	{"lock path", []Clause{protocol(3, 2), ports(2)}, "it takes the whole path of the lock file, and creates the file if it is missing", lockPaths, false},
	{"lock open", []Clause{protocol(3, 2)}, "it opens a lock file that exists without O_CREAT", lockOpens, false},
	{"lock stays", []Clause{protocol(3, 4), protocol(3, 2)}, "it leaves the lock file where it is, and makes no other", lockStays, false},
	{"lock contents", []Clause{protocol(2)}, "it does not write to the lock file, nor truncate it", lockContents, false},
	{"lock replaced", []Clause{protocol(3, 2)}, "it locks the file that the path names now, between two calls and while it waits", replaced, false},
	{"alone", []Clause{protocol(4)}, "calls of one party, one after the other", alone, false},
	{"in a call", []Clause{ports(2), protocol(4)}, "it refuses requests that are not in place, abandons if it can, and ends with its input", inCall, false},
	{"withdrawal", []Clause{protocol(5)}, "a call that gives up undoes its effect on the words", withdrawal, false},
	{"sections", []Clause{protocol(3, 7), protocol(3, 1), protocol(3, 3), protocol(3, 8), protocol(4)}, "black box: it writes under the lock only, leaves the right words at each release, and releases by unlocking", sections, false},
	{"lock unlinked", []Clause{protocol(3, 2), protocol(3, 7)}, "black box: it looks at the link count after each lock", unlinkedWhile, false},
	{"schedules n=2", []Clause{protocol(4), protocol(5), protocol(3, 7), protocol(3, 3)}, "black box: calls, give-ups and steps of one peer, with the words, the lock and the answers seen from outside", schedules(2), false},
	{"schedules n=3", []Clause{protocol(4), protocol(5), protocol(3, 7), protocol(3, 3)}, "the same with two peers, as far as the time allows", schedules(3), true},
	{"out of range", []Clause{protocol(9)}, "it refuses to call when a word is out of range; or it checks no words, as the original", outOfRange, false},
	{"polls", []Clause{protocol(4)}, "each poll waits for its own word and for no other", polls, false},
	{"counts", []Clause{protocol(4), ports(2)}, "party counts up to 2³¹−1 that change between rounds, in each place of the round", counts, true},
	{"pace", []Clause{protocol(8)}, "it looks at its word in each tick, though a peer wakes no process", pace, true},
	{"idle waits", []Clause{ports(2)}, "it does not burn a processor while it waits", idleWaits, true},
	{"prompt", []Clause{ports(2)}, "it sleeps for at most 50 ms before it answers a giveup, at the lock too", promptly, true},
	{"many calls", []Clause{ports(2), protocol(4)}, "it needs no more after many calls, and after many that gave up", manyCalls, false},
	{"long waits", []Clause{protocol(4), protocol(5), protocol(3, 7), ports(2)}, "it waits at each place for as long as its peer stands still", longWaits, true},
	{"stress", []Clause{hazards(1), protocol(4)}, "4 processes of it", stress(4), false},
	{"mixed with go", []Clause{hazards(1), protocol(2), protocol(4)}, "2 processes of it, and 2 of package impl", stress(2, "go", "go"), false},
	{"unlinking peer", []Clause{protocol(3, 2), hazards(1)}, "3 processes of it, and one that keeps unlinking the lock file", stress(3, "go@unlink"), false},
}
