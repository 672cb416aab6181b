package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

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
	return replace(path, text.Bytes())
}

// replace writes the file whole or not at all.
func replace(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // nothing is there once it has its name
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
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
