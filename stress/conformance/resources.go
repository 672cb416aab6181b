//go:build linux

package conformance

import (
	"bytes"
	"fmt"
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
	memory                         int64 // private and writable, in bytes
}

func resourcesOf(p *port.Port, segment string) (r resources) {
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
	case float64(now.mappings-r.mappings) > each/10:
		return fmt.Sprintf("%d mappings of the segment", now.mappings-r.mappings)
	case now.memory-r.memory > 128<<20 && float64(now.memory-r.memory)/each > memory:
		return fmt.Sprintf("%d MiB of memory", (now.memory-r.memory)>>20)
	}
	return ""
}

const longRunClause = "PORTS.md, section 2: resources"

// manyCalls makes as many calls as the time allows, of a port that is alone,
// and then calls that give up. What the port needs must not grow with them.
func manyCalls(s *subject) (string, error) {
	f := s.opened()
	defer f.close()
	most := 70_000 // more than 16 bits
	if s.Thorough {
		most = 1_000_000
	}
	calls := f.repeat(most, s.budget(), func() { f.ask("call 1", port.Returned) })
	f.expectWords(spec.Initial)
	found := fmt.Sprintf("%d calls", calls)
	if s.can.Withdraw && f.err == nil {
		calls = f.repeat(200, s.budget()/4, func() {
			f.send("call 2")
			f.awaitCounted()
			f.ask("giveup", port.Withdrawn)
		})
		found += fmt.Sprintf(", %d withdrawals", calls)
	}
	return found, f.err
}

// repeat makes calls, at most so many and for so long, and looks at the port's
// resources.
func (f *fixture) repeat(most int, budget time.Duration, call func()) (calls int) {
	const warm = 30
	var before resources
	look := func(made int) {
		if what := before.grown(resourcesOf(f.port, f.segment), made); what != "" && f.err == nil {
			f.err = finding(longRunClause, "%d calls have left %s", made, what)
		}
	}
	for until := time.Now().Add(budget); f.err == nil && calls < most && (calls <= 4*warm || time.Now().Before(until)); calls++ {
		if calls == warm {
			before = resourcesOf(f.port, f.segment)
		}
		call()
		if f.err != nil {
			f.err = f.errorf("after %d calls", calls)
			return calls
		}
		if made := calls - warm; made == 200 || made > 0 && made%1000 == 0 {
			look(made)
		}
	}
	look(calls - warm) // at least 90
	return calls
}

// An effort is what the threads of a port have done.
type effort struct {
	ran, starved time.Duration // starved: ready, without a processor
	sleeps       int64
	busiest      time.Duration // the longest time that a thread ran without a sleep, on average
}

// since returns what the threads of p have done since before.
func (p *threadsOf) since(before map[string]effort) (e effort) {
	for thread, now := range p.efforts() {
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
		{"for its peers", []string{"call 2"}},
		{"for the lock", peer(completes[:10]...)},
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
			for i := range 20 {
				time.Sleep(50 * time.Millisecond)
				if e = threads.since(before); e.busiest >= 50*time.Millisecond || i >= 3 && e.sleeps > 20 {
					break
				}
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
		threads := threadsOf{f.port}
		before, began := threads.efforts(), time.Now()
		time.Sleep(250 * time.Millisecond)
		e := threads.since(before)
		nap := (time.Since(began) - e.ran - e.starved) / time.Duration(e.sleeps+1)
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
			drain = append(drain, f.slept(func() { f.set(spec.Exit, 2) }, func(w spec.Words) bool { return w.Enter == 1 }))
			f.becomes(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
			pause()
			// The port waits and writes nothing, so the lock is not needed.
			flag = append(flag, f.slept(func() { f.setAll(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up}) }, func(w spec.Words) bool { return w == spec.Initial }))
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

// slept calls do, waits until the words are right, and returns for how long the
// port slept meanwhile.
func (f *fixture) slept(do func(), right func(spec.Words) bool) (slept time.Duration) {
	const most = 500 * time.Microsecond // of a longer pause between two looks of the runner only so much counts
	threads := threadsOf{f.port}
	before := threads.efforts()
	do()
	last := time.Now()
	f.await(func(w spec.Words) bool {
		now := time.Now()
		slept += min(now.Sub(last), most)
		last = now
		return right(w)
	}, "it does not go on")
	return slept - threads.since(before).starved
}
