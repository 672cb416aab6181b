//go:build linux

package run

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzFindings: what is read as the findings of a worker can be summed up.
func FuzzFindings(f *testing.F) {
	measured := newFindings()
	for i := range 1000 {
		measured.Latency.RecordValue(int64(i) * int64(i) * int64(time.Microsecond))
	}
	line, err := json.Marshal(measured)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{string(line), "", "{}", "null", "[]", `{"Latency":null}`, `{"Latency":""}`, `{"Latency":"HISTFAAAAA=="}`, `{"Calls":-1,"Elapsed":-9223372036854775808}`, `{"Early":{}}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one := parseFindings([]byte(text))
		if one == nil {
			return
		}
		sum := newFindings()
		sum.add(one)
		sum.Latency.ValueAtQuantile(99)
	})
}
