// Package layering holds the test that keeps the packages in their layers.
package layering

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ordersync/ordersync/"

// allowed names, for each package, the packages of ours that it may import, directly or through others. A trailing
// slash stands for a folder with all below it. A package that is not named here is an error, so that a new one is
// thought about.
var allowed = map[string][]string{
	"schema":                     {},
	"sync/source":                {"schema"},
	"sync/source/internal/field": {"schema", "sync/source"},
	"sync/source/keys":           {"schema", "sync/source", "sync/source/internal/field"},
	"sync/source/internal/wire":  {"schema", "sync/source", "sync/source/keys", "sync/source/internal/field"},
	"sync/simulator":             {"schema"},
	"sync/simulator/compare":     {"schema", "sync/simulator"},
	"sync/window":                {"schema"},
	"sync/walk":                  {"schema", "sync/source", "sync/window"},
	"sync/enrich":                {"schema", "sync/source"},
	"sync/stream":                {"schema", "sync/source", "sync/window", "sync/walk", "sync/enrich"},
	"sync/audit":                 {"schema", "sync/source", "sync/window", "sync/walk", "sync/enrich", "sync/stream"},
	"sync/internal/worldtest":    {"schema", "sync/", "sink", "sink/embedded", "sink/sinktest", "sink/warehousetest"},
	"sync/engine":                {"schema", "sync/source", "sync/window", "sync/walk", "sync/enrich", "sync/stream", "sync/audit"},
	"sink":                       {"schema"},
	"sink/embedded":              {},
	"sink/sinktest":              {"sink/embedded"},
	"sink/warehousetest":         {"schema", "sink", "sink/embedded", "sink/sinktest"},
	"cmd/internal/app":           {"schema", "sync/", "sink", "sink/embedded", "cmd/internal/config", "cmd/internal/daemon", "cmd/internal/diagnosis", "cmd/internal/notify", "cmd/internal/status", "cmd/internal/format", "cmd/internal/web"},
	"cmd/internal/cli":           {"schema", "sync/", "sink", "sink/embedded", "cmd/internal/"},
	"cmd/internal/config":        {"schema", "sync/source", "sync/source/"},
	"cmd/internal/daemon":        {"schema", "sync/source", "sync/window", "sync/walk", "sync/enrich", "sync/stream", "sync/audit", "sync/engine", "sink"},
	"cmd/internal/diagnosis":     {"schema", "sync/source", "cmd/internal/format"},
	"cmd/internal/format":        {},
	"cmd/internal/monitoring":    {},
	"cmd/internal/notify":        {"schema", "sync/source", "sync/source/", "cmd/internal/config", "cmd/internal/diagnosis", "cmd/internal/format"},
	"cmd/internal/status":        {"schema", "sync/source", "sync/source/", "sink", "sync/window", "cmd/internal/config", "cmd/internal/diagnosis", "cmd/internal/format"},
	"cmd/internal/web":           {"schema", "sync/source", "sync/source/", "sink", "sync/window", "cmd/internal/config", "cmd/internal/diagnosis", "cmd/internal/status", "cmd/internal/format"},
	"cmd/ordersync":              {"schema", "sync/", "sink", "sink/embedded", "cmd/internal/"},
}

// vendor is what a vendor's client may import, which is any package of sync/source that is not named above: never another
// vendor's.
var vendor = []string{"schema", "sync/source", "sync/source/keys", "sync/source/internal/"}

func TestPackagesStayInTheirLayers(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Deps \" \"}}", module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		name, deps, ok := strings.Cut(strings.TrimSpace(line), ": ")
		name = strings.TrimPrefix(strings.TrimSuffix(name, ":"), module)
		if name == "cmd/internal/layering" {
			continue
		}
		may, known := allowed[name]
		if !known && strings.HasPrefix(name, "sync/source/") {
			may, known = vendor, true
		}
		if !known {
			t.Errorf("package %s has no layer: name what it may import in this test", name)
			continue
		}
		if !ok {
			continue
		}
		for dep := range strings.FieldsSeq(deps) {
			dep, ours := strings.CutPrefix(dep, module)
			if ours && !slices.ContainsFunc(may, func(m string) bool {
				return dep == m || strings.HasSuffix(m, "/") && strings.HasPrefix(dep, m)
			}) {
				t.Errorf("%s must not import %s", name, dep)
			}
		}
	}
}
