package tlc

import (
	"path/filepath"
	"slices"
	"testing"
)

// Our options come after those of the environment, whichever variable has them.
func TestUnit_JavaEnvironment(t *testing.T) {
	home, err := filepath.Abs("jre")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ environment, want []string }{
		{nil, nil},
		{[]string{"A=b", "LC_ALL=C", "JAVA_HOME=jre"}, []string{"A=b", "JAVA_HOME=" + home}},
		{[]string{"_JAVA_OPTIONS=-Xmx1g", "JAVA_TOOL_OPTIONS=-Xms9m"}, []string{"JAVA_TOOL_OPTIONS=-Xms9m -Xmx1g"}},
		{[]string{"_JAVA_OPTIONS=-Xmx1g"}, []string{"JAVA_TOOL_OPTIONS=-Xmx1g"}},
		{[]string{"JDK_JAVA_OPTIONS=-Xmx1g", "JAVA_TOOL_OPTIONS= "}, []string{"JDK_JAVA_OPTIONS=-Xmx1g"}},
	} {
		want := append([]string{"LC_ALL=C.UTF-8"}, c.want...)
		if got := javaEnvironment(c.environment); !slices.Equal(got, want) {
			t.Errorf("javaEnvironment(%q) = %q, want %q", c.environment, got, want)
		}
	}
}

func TestUnit_ChoosesCollector(t *testing.T) {
	for variable, want := range map[string]bool{
		"JAVA_TOOL_OPTIONS=-XX:+UseG1GC":                     true,
		"JDK_JAVA_OPTIONS=-Xmx1g -XX:+UseZGC":                true,
		"_JAVA_OPTIONS=-XX:+UseConcMarkSweepGC -ea":          true,
		"JAVA_TOOL_OPTIONS=-XX:Flags=options":                true,
		"JAVA_TOOL_OPTIONS=-XX:VMOptionsFile=options":        true,
		"JDK_JAVA_OPTIONS=-ea @options":                      true,
		"JAVA_TOOL_OPTIONS=-XX:+UseGCOverheadLimit -Da=b@c":  false,
		"JAVA_TOOL_OPTIONS=-XX:-UseG1GC":                     false,
		"JAVA_TOOL_OPTIONS=-XX:+UseDynamicNumberOfGCThreads": false,
		"JAVA_OPTS=-XX:+UseG1GC":                             false,
	} {
		if got := choosesCollector([]string{"A=b", variable}); got != want {
			t.Errorf("choosesCollector(%s) = %v, want %v", variable, got, want)
		}
	}
}
