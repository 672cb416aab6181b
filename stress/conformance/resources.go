//go:build linux

package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// resources are what the processes of a port have.
type resources struct {
	descriptors, threads, mappings int
	files                          int   // in /dev/shm, with names that begin with the segment's
	memory                         int64 // private and writable, in bytes
}

// resourcesOf returns what the processes of p have: nothing if p was not
// started.
func resourcesOf(p *port.Port, segment string) (r resources) {
	if p == nil {
		return r
	}
	files, _ := filepath.Glob("/dev/shm/" + segment + "*")
	r.files = len(files)
	for _, pid := range p.Processes() {
		dir := "/proc/" + strconv.Itoa(pid)
		fds, _ := os.ReadDir(dir + "/fd") // nothing there: it has ended
		r.descriptors += len(fds)
		status, _ := os.ReadFile(dir + "/status")
		for _, line := range strings.Split(string(status), "\n") {
			name, value, _ := strings.Cut(line, ":")
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			switch name {
			case "Threads":
				r.threads += int(n)
			case "VmData":
				r.memory += n << 10
			}
		}
		maps, _ := os.ReadFile(dir + "/maps")
		r.mappings += bytes.Count(maps, []byte("/"+segment+"\n"))
	}
	return r
}

// grown says what has grown with the number of calls.
func (r resources) grown(now resources, calls int) string {
	const memory = 64 << 10 // a call; collectors take their time
	switch each := float64(calls); {
	case float64(now.descriptors-r.descriptors) > each/10:
		return fmt.Sprintf("%d descriptors", now.descriptors-r.descriptors)
	case float64(now.threads-r.threads) > each/10:
		return fmt.Sprintf("%d threads or processes", now.threads-r.threads)
	case float64(now.files-r.files) > each/10:
		return fmt.Sprintf("%d files in /dev/shm", now.files-r.files)
	case float64(now.mappings-r.mappings) > each/10:
		return fmt.Sprintf("%d mappings of the segment", now.mappings-r.mappings)
	case now.memory-r.memory > 128<<20 && float64(now.memory-r.memory)/each > memory:
		return fmt.Sprintf("%d MiB of memory", (now.memory-r.memory)>>20)
	}
	return ""
}

const longRunClause = "PORTS.md, section 2: resources"

// manyCalls makes as many calls of 2 as the time allows, in which the port is
// the last to come, and then calls that give up. Each must leave the right
// words, and what the port needs must not grow with them.
func manyCalls(s *subject) (string, error) {
	f := s.opened()
	defer f.close()
	least, most := 300, 70_000 // more than 16 bits
	if s.Thorough {
		least, most = most, 1_000_000
	}
	calls := f.repeat(least, most, s.budget(), func() {
		f.setAll(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
		f.ask("call 2", port.Returned)
		f.expectWords(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
	})
	f.setAll(spec.Initial)
	found := fmt.Sprintf("%d calls", calls)
	if s.can.Withdraw && f.err == nil {
		calls = f.repeat(150, 200, s.budget()/4, func() {
			f.send("call 2")
			f.awaitCounted()
			f.ask("giveup", port.Withdrawn)
		})
		found += fmt.Sprintf(", %d withdrawals", calls)
	}
	return found, f.err
}

// repeat makes calls until the budget is spent, but so many at least and at
// most, and looks at the port's resources. A leak grows all the time: a port may
// start the threads of its collector once.
func (f *fixture) repeat(least, most int, budget time.Duration, call func()) (calls int) {
	const warm = 30
	var before resources
	from, grew := warm, false
	look := func() {
		if calls < from+40 {
			return // too few to tell a leak from what varies
		}
		f.try(func() error {
			now := resourcesOf(f.port, f.segment)
			switch what := before.grown(now, calls-from); {
			case what == "":
			case grew:
				return finding(longRunClause, "%d calls have left %s, and as many before them", calls-from, what)
			default:
				before, from, grew = now, calls, true
			}
			return nil
		})
	}
	for until := time.Now().Add(budget); f.err == nil && calls < most && (calls < least || time.Now().Before(until)); calls++ {
		if calls == warm {
			before = resourcesOf(f.port, f.segment)
		}
		call()
		if f.err != nil {
			f.err = f.errorf("after %d calls", calls)
			return calls
		}
		if calls == (warm+least)/2 || calls > warm && calls%1000 == 0 {
			look()
		}
	}
	look()
	return calls
}

// An effort is what the threads of a port have done.
type effort struct {
	ran, starved time.Duration // starved: ready, without a processor
	sleeps       int64
	awake        bool          // it runs, is ready, or waits for the disk
	busiest      time.Duration // the longest time that a thread ran without a sleep, on average
}

// since returns what the threads of p have done since before.
func (p *threadsOf) since(before map[string]effort) effort { return between(before, p.efforts()) }

func between(before, after map[string]effort) (e effort) {
	for thread, now := range after {
		old := before[thread]
		ran, sleeps := now.ran-old.ran, now.sleeps-old.sleeps
		e.ran += ran
		e.starved += now.starved - old.starved
		e.sleeps += sleeps
		e.busiest = max(e.busiest, ran/time.Duration(sleeps+1))
	}
	return e
}

type threadsOf struct{ *port.Port }

func (p *threadsOf) efforts() map[string]effort {
	all := map[string]effort{}
	if p.Port == nil {
		return all // it was not started
	}
	for _, pid := range p.Processes() {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, thread := range threads {
			var e effort
			text, _ := os.ReadFile(thread + "/schedstat") // the thread may have ended
			if f := strings.Fields(string(text)); len(f) >= 2 {
				ran, _ := strconv.ParseInt(f[0], 10, 64)
				starved, _ := strconv.ParseInt(f[1], 10, 64)
				e.ran, e.starved = time.Duration(ran), time.Duration(starved)
			}
			status, _ := os.ReadFile(thread + "/status")
			if _, after, found := strings.Cut(string(status), "\nvoluntary_ctxt_switches:"); found {
				line, _, _ := strings.Cut(after, "\n")
				e.sleeps, _ = strconv.ParseInt(strings.TrimSpace(line), 10, 64)
			}
			e.awake = strings.Contains(string(status), "\nState:\tR") || strings.Contains(string(status), "\nState:\tD")
			all[thread] = e
		}
	}
	return all
}

// idleWaits has the port wait for its peers and for the lock. No thread may run
// all the time. What counts is how long a thread runs between two sleeps, which
// other processes of the machine do not change.
func idleWaits(s *subject) (string, error) {
	p := s.newPlay(2)
	defer p.close()
	for _, wait := range []struct {
		name string
		to   []string
	}{
		{"for its peers at AwaitFlag", []string{"call 2"}},
		{"for the lock", peer(completes[:10]...)},
		{"for its peers at AwaitDrain", slices.Concat(peer(completes[10:]...), []string{"call 2"})},
	} {
		p.do(wait.to...)
		if p.err != nil {
			break
		}
		threads := threadsOf{p.port}
		time.Sleep(50 * time.Millisecond) // to come to rest
		burns := 0
		var e effort
		for burns < 3 {
			before := threads.efforts()
			began, most := time.Now(), time.Second
			for i := 0; time.Since(began) < most; i++ {
				time.Sleep(50 * time.Millisecond)
				if e = threads.since(before); e.busiest >= 50*time.Millisecond || i >= 3 && e.sleeps > 20 {
					break
				}
				most = min(time.Second+e.starved, time.Minute) // it could not show more meanwhile
			}
			if e.busiest < 20*time.Millisecond {
				break
			}
			burns++ // a compiler or a collector may be at work, not for long
		}
		if burns == 3 {
			p.err = finding("PORTS.md, section 2: resources", "while it waits %s it burns a processor: a thread ran for %v and slept %d times", wait.name, e.ran.Round(time.Millisecond), e.sleeps)
		}
	}
	return "it sleeps", p.err
}

// pace has the port wait many times for a word that a peer writes without a
// wake-up, and takes the time for which the port slept until it acted on it.
// Time in which the port was ready and got no processor, or in which the runner
// did not look, does not count. Half of the times must be within three ticks.
func pace(s *subject) (string, error) {
	f := s.opened()
	defer f.close()
	var middle time.Duration
	slow := 0
	f.set(spec.Exit, 1)
	f.send("call 2")
	f.rests(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
	for range 3 {
		nap := f.nap(250 * time.Millisecond)
		if nap <= 3*spec.Tick {
			break
		}
		if slow++; slow == 3 && f.err == nil {
			f.err = finding("PROTOCOL.md, section 8", "while it waits it sleeps for %v at a time, on average; want a look at its word in each %v", nap.Round(time.Millisecond), spec.Tick)
		}
	}
	f.set(spec.Exit, 2)
	f.becomes(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
	f.setAll(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
	f.expect("call 2", port.Returned)
	if f.err != nil {
		return "", f.err
	}
	for try := range 3 {
		var drain, flag []time.Duration
		for i := range 11 {
			pause := func() { time.Sleep(spec.Tick + time.Duration(i*7919%97)*time.Millisecond/4) } // in no step with its ticks
			f.set(spec.Exit, 1)
			f.send("call 2")
			f.rests(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
			pause()
			drain = append(drain, f.sleptTo(func() { f.set(spec.Exit, 2) }, func(w spec.Words) bool { return w.Enter == 1 }))
			f.becomes(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
			pause()
			// The port waits and writes nothing, so the lock is not needed.
			flag = append(flag, f.sleptTo(func() { f.setAll(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up}) }, func(w spec.Words) bool { return w == spec.Initial }))
			f.expect("call 2", port.Returned)
			if f.err != nil {
				return "", f.errorf("with a peer that wakes no process")
			}
		}
		slices.Sort(drain)
		slices.Sort(flag)
		middle = max(drain[len(drain)/2], flag[len(flag)/2])
		if middle <= 3*spec.Tick {
			return "it looks in time", f.err
		}
		if try == 0 {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return "", finding("PROTOCOL.md, section 8", "with a peer that wakes no process, half of the time it sleeps for more than %v before it looks at its word; want a look in each %v", middle.Round(time.Millisecond), spec.Tick)
}

// nap returns how long the port, which waits, sleeps at a time, on average over
// at least so long a time in which it had a processor when it was ready; 0: its
// threads never sleep for so long.
func (f *fixture) nap(least time.Duration) time.Duration {
	threads := threadsOf{f.port}
	before, began := threads.efforts(), time.Now()
	for left := f.patience(); f.err == nil && !left.Spent(); {
		time.Sleep(10 * time.Millisecond)
		passed, after := time.Since(began), threads.efforts()
		e := between(before, after)
		if rested := passed - e.ran - e.starved; rested >= least && !awake(after) {
			return rested / time.Duration(e.sleeps+1)
		}
	}
	return 0
}

// prompt is the longest time for which a port may sleep before it answers a
// giveup.
const prompt = 50 * time.Millisecond

// promptly has the port give up after a second in which it waits for the lock,
// and after one in which it waits for its peers, and takes the time for which it
// slept until it answers. Several answers must be too late on average, so a
// moment in which the machine was slow accuses no port.
func promptly(s *subject) (string, error) {
	if !s.can.Withdraw {
		return "", errUnable
	}
	f := s.opened()
	defer f.close()
	const tries = 4
	for _, wait := range []struct {
		name   string
		locked bool
	}{{"for the lock", true}, {"for its peers", false}} {
		slow, slept := 0, time.Duration(0)
		for slow < 3 && f.err == nil {
			slept = 0
			for range tries {
				var h holding
				if wait.locked {
					f.takes(&h, "")
				}
				f.send("call 2")
				time.Sleep(time.Second)
				slept += f.sleptUntil("giveup", port.Withdrawn)
				h.release()
			}
			if slept <= tries*prompt {
				break
			}
			slow++
		}
		if slow == 3 && f.err == nil {
			f.err = finding("PORTS.md, section 2: limits", "while it waits %s it sleeps for %v, on average, before it answers a giveup; want at most %v", wait.name, (slept / tries).Round(time.Millisecond), prompt)
		}
	}
	return "in time", f.err
}

// sleptUntil sends a request, waits for the answer, and returns for how long
// the port slept meanwhile.
func (f *fixture) sleptUntil(request, want string) time.Duration {
	answer := ""
	slept := f.slept(func() { f.send(request) }, func() (came bool) {
		answer, came = f.tryAnswer()
		return came
	})
	f.try(func() error {
		if answer != want {
			return finding("PORTS.md, section 2", "it answers %s with %.300q, want %q", request, answer, want)
		}
		return nil
	})
	return slept
}

// slept calls do, waits until done, and returns for how long the port slept
// meanwhile. The runner may be late: between two of its looks the port slept
// while no thread ran or was ready. If threads have come or gone, or one is awake
// now, its times do not tell that, and a moment counts.
func (f *fixture) slept(do func(), done func() bool) (slept time.Duration) {
	const most = 500 * time.Microsecond
	if f.err != nil {
		return 0
	}
	threads := threadsOf{f.port}
	before, last := threads.efforts(), time.Now()
	do()
	for left := f.patience(); !done() && f.err == nil; time.Sleep(100 * time.Microsecond) {
		now := time.Now() // before the look at the port, as last is after it
		after := threads.efforts()
		switch gap := now.Sub(last); {
		case awake(before): // it got no processor or no memory, or it ran
		case awake(after) || !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))):
			slept += min(gap, most)
		default:
			e := between(before, after)
			slept += max(min(gap, most), gap-e.ran-e.starved)
		}
		before, last = after, time.Now()
		f.try(func() error {
			if left.Spent() {
				return finding("PROTOCOL.md, section 4", "it does not go on after %v; the words are %v", f.subject.Limit, f.words())
			}
			return f.subject.ctx.Err()
		})
	}
	return slept
}

// awake reports whether a thread is awake.
func awake(threads map[string]effort) bool {
	for _, e := range threads {
		if e.awake {
			return true
		}
	}
	return false
}

// sleptTo is slept until the words are right.
func (f *fixture) sleptTo(do func(), right func(spec.Words) bool) time.Duration {
	return f.slept(do, func() bool { return right(f.words()) })
}
