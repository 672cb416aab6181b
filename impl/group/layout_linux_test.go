package group

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// TestConform_Layout compares the types of the mapping with the tables of
// GROUP.md.
func TestConform_Layout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		of     reflect.Type
		fields []spec.GroupField
	}{
		{"header", reflect.TypeFor[header](), spec.GroupHeader},
		{"slot", reflect.TypeFor[slot](), spec.GroupSlot},
	} {
		var got []string
		for field := range tc.of.Fields() {
			if field.Name != "_" {
				typ := map[string]string{"label": "[64]byte"}[field.Type.Name()]
				if typ == "" {
					typ = strings.ToLower(field.Type.Name())
				}
				got = append(got, fmt.Sprint(strings.TrimPrefix(field.Name, "_"), " ", field.Offset, " ", typ))
			}
		}
		var want []string
		for _, f := range tc.fields {
			want = append(want, fmt.Sprint(f.Name, " ", f.Offset, " ", f.Type))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got fields %v, want %v", tc.name, got, want)
		}
	}
}
