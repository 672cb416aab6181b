package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"

	"sharedbarrier/model/cli"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// record writes questions.json with the answers of rows to the file. The other
// answers, and the texts, stay those of tla.Files.
func record(path string, all []tlc.Question, rows []row) error {
	text, err := fs.ReadFile(tla.Files, tlc.TableFile)
	if err != nil {
		return err
	}
	const start = "\"questions\": [\n"
	head, _, _ := bytes.Cut(text, []byte(start))
	var lines [][]byte
	for _, q := range all {
		for _, r := range rows {
			if r.Name() == q.Name() {
				q = answered(r)
			}
		}
		line, err := json.Marshal(q)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	text = append(append(head[:len(head):len(head)], start...), bytes.Join(lines, []byte(",\n"))...)
	text = append(text, "\n]}\n"...)
	return cli.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

// answered is the question with the row's answer. A question without a class
// gets one by its time.
func answered(r row) tlc.Question {
	q := r.Question
	q.Verdict, q.Property = r.result.Verdict, r.result.Property
	q.Generated, q.Distinct, q.Depth = r.result.Generated, r.result.Distinct, r.result.Depth
	switch {
	case q.Class != "":
	case r.result.Seconds < 20:
		q.Class = tlc.Short
	case r.result.Seconds < 120:
		q.Class = tlc.Medium
	default:
		q.Class = tlc.Long
	}
	return q
}
