//go:build linux

package trace

// Slowest is how many rounds count as the slowest of a run.
const Slowest = 3

// IsSlow reports whether fewer than Slowest latencies that it was asked about
// are as long, by whatever worker. It then counts this one among the slowest.
func (r *Recorder) IsSlow(latency int64) bool {
	for {
		least := &r.header.slowest[0]
		shortest := least.Load()
		for i := range r.header.slowest {
			if l := r.header.slowest[i].Load(); l < shortest {
				least, shortest = &r.header.slowest[i], l
			}
		}
		if latency <= shortest {
			return false
		}
		if least.CompareAndSwap(shortest, latency) { // the others only grow, so it is still the shortest
			return true
		}
	}
}

// During returns what the workers did during the round: from the first record
// of it on, and up to when the recorder was read.
func (r Recording) During(round int64) Recording {
	during := r
	during.Records = []Record{}
	from := r.Now
	for _, record := range r.Records {
		if record.Round == round {
			from = min(from, record.At)
		}
	}
	for _, record := range r.Records {
		if record.At <= r.Now && (record.Round == round || record.Last >= from) {
			during.Records = append(during.Records, record)
		}
	}
	return during
}
