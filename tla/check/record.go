package main

import (
	"bytes"
	"encoding/json"
	"os"

	"sharedbarrier/tla/tlc"
)

// record writes the answers of rows into the manifest file, whose other
// answers it leaves as they are.
func record(path string, all []question, rows []row) error {
	manifest := tlc.Manifest{Version: tlc.ManifestVersion}
	for _, q := range all {
		expected := q.expected
		for _, r := range rows {
			if r.config.Name == q.config.Name {
				expected = answered(q, r)
			}
		}
		if expected.Verdict != "" {
			manifest.Configs = append(manifest.Configs, expected)
		}
	}
	var text bytes.Buffer
	text.WriteString("{\"version\": 1, \"configs\": [\n")
	for i, e := range manifest.Configs {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text.Write(line)
		if i+1 < len(manifest.Configs) {
			text.WriteString(",")
		}
		text.WriteString("\n")
	}
	text.WriteString("]}\n")
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// answered is the expected answer that the row makes of itself. What has no
// class yet gets one by its time.
func answered(q question, r row) tlc.Expected {
	class := q.expected.Class
	switch {
	case class != "":
	case r.result.Seconds < 20:
		class = tlc.Short
	case r.result.Seconds < 120:
		class = tlc.Medium
	default:
		class = tlc.Long
	}
	return tlc.Expected{
		Config: r.config.Name, Verdict: r.result.Verdict, Property: r.result.Property,
		Generated: r.result.Generated, Distinct: r.result.Distinct, Depth: r.result.Depth, Class: class,
	}
}
