package cli

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ordersync/ordersync/cmd/internal/monitoring"
)

func TestMonitoring(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string][]byte{"dashboard": monitoring.Dashboard, "business": monitoring.Business, "rules": monitoring.Rules} {
		var out, errOut bytes.Buffer
		if code := Run(t.Context(), []string{"monitoring", verb}, strings.NewReader(""), &out, &errOut); code != 0 || errOut.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", verb, code, &errOut)
		}
		if !bytes.Equal(out.Bytes(), want) || len(want) == 0 {
			t.Errorf("%s is not printed as it is", verb)
		}
	}
}

// What a runbook or a panel tells people to run exists.
func TestCommandsOfTheRunbooksExist(t *testing.T) {
	t.Parallel()
	var texts []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var rules, dashboard, business any
	if err := yaml.Unmarshal(monitoring.Rules, &rules); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(monitoring.Dashboard, &dashboard); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(monitoring.Business, &business); err != nil {
		t.Fatal(err)
	}
	walk(rules)
	walk(dashboard)
	walk(business)
	commands := 0
	for _, m := range regexp.MustCompile("`ordersync ([^`]+)`").FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		commands++
		cmd, rest, err := (&program{}).root().Find(strings.Fields(m[1]))
		if err != nil || !cmd.HasParent() {
			t.Errorf("there is no `ordersync %s`: %v", m[1], err)
			continue
		}
		for _, arg := range rest {
			if name, isFlag := strings.CutPrefix(arg, "--"); isFlag && cmd.Flag(name) == nil {
				t.Errorf("`ordersync %s`: there is no --%s", m[1], name)
			}
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands are named", commands)
	}
}
