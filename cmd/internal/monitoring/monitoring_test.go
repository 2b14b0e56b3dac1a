package monitoring_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/monitoring"
	"github.com/ordersync/ordersync/sink/sinktest"
)

func TestMain(m *testing.M) {
	plugins.RegisterDefaultPlugins()
	sinktest.Main(m)
}

// rule is an alerting rule as its file has it.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type ruleFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

func rules(t *testing.T) ruleFile {
	t.Helper()
	var f ruleFile
	if err := yaml.UnmarshalWithOptions(monitoring.Rules, &f, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return f
}

// panel is what the tests want of a panel of the dashboard.
type panel struct {
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds *struct{}
		}
	}
	Targets []struct {
		Expr, LegendFormat string // of Prometheus
		RawSQL             string // of ClickHouse
		Format             int    // of ClickHouse: 0 is a series of times, 1 a table
	}
}

// dashboards are both, by their titles.
var dashboards = map[string][]byte{"ordersync": monitoring.Dashboard, "ordersync: business": monitoring.Business}

func panels(t *testing.T, content []byte) []panel {
	t.Helper()
	var d struct{ Panels []panel }
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// query is one expression, and the labels that its user needs of each series.
type query struct {
	where, expr string
	labels      []string
}

var (
	legendLabel   = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	templateLabel = regexp.MustCompile(`\$labels\.(\w+)`)
	// variables are what Grafana puts in place of its own.
	variables = strings.NewReplacer("$account", ".*", "$__rate_interval", "1m", "$__range", "1h")
)

func labelsIn(pattern *regexp.Regexp, texts ...string) (out []string) {
	for _, m := range pattern.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
		out = append(out, m[1])
	}
	return out
}

func dashboardQueries(t *testing.T) (out []query) {
	t.Helper()
	for _, p := range panels(t, monitoring.Dashboard) {
		for _, target := range p.Targets {
			out = append(out, query{"panel " + p.Title, variables.Replace(target.Expr), labelsIn(legendLabel, target.LegendFormat)})
		}
	}
	return out
}

func ruleQueries(t *testing.T) (out []query) {
	t.Helper()
	for _, r := range rules(t).Groups[0].Rules {
		out = append(out, query{"rule " + r.Alert, r.Expr, labelsIn(templateLabel, slices.Collect(maps.Values(r.Annotations))...)})
	}
	return out
}

// parse takes an expression apart. The parser knows a superset of PromQL; that it is PromQL, promtool and Prometheus say.
func parse(t *testing.T, q query) metricsql.Expr {
	t.Helper()
	e, err := metricsql.Parse(q.expr)
	if err != nil {
		t.Fatalf("%s: %v\n%s", q.where, err, q.expr)
	}
	return e
}

// selector is a metric that an expression asks for.
type selector struct {
	expr, name string
	labels     []string // of its filters
}

func selectors(e metricsql.Expr) (out []selector) {
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		s := selector{expr: string(m.AppendString(nil))}
		for _, filters := range m.LabelFilterss {
			for _, f := range filters {
				if f.Label == "__name__" {
					s.name = f.Value
				} else {
					s.labels = append(s.labels, f.Label)
				}
			}
		}
		out = append(out, s)
	})
	return out
}

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance", "pod"}

// registered are the labels of each series of a daemon, by name, as a query sees them.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	cfg := config.Default()
	cfg.Accounts = []config.Account{config.NewAccount("main", config.SourceBSS)}
	registry := prometheus.NewRegistry()
	if _, err := app.New(app.Options{Config: cfg, Registry: registry, Offline: true}); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range families {
		labels := slices.Clone(scraped)
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		out[f.GetName()] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			out[f.GetName()+"_bucket"] = append(slices.Clone(labels), "le")
			out[f.GetName()+"_sum"], out[f.GetName()+"_count"] = labels, labels
		}
	}
	return out
}

// Every metric and every label that a panel or a rule names is one that the daemon has.
func TestNamesExist(t *testing.T) {
	t.Parallel()
	have := registered(t)
	used := map[string]bool{}
	for _, q := range append(dashboardQueries(t), ruleQueries(t)...) {
		e := parse(t, q)
		check := func(e metricsql.Expr, labels ...string) {
			for _, s := range selectors(e) {
				for _, label := range labels {
					if known, ok := have[s.name]; ok && !slices.Contains(known, label) {
						t.Errorf("%s: %s has no label %s", q.where, s.name, label)
					}
				}
			}
		}
		metricsql.VisitAll(e, func(e metricsql.Expr) {
			switch e := e.(type) {
			case *metricsql.MetricExpr:
				s := selectors(e)[0]
				used[s.name] = true
				if _, ok := have[s.name]; !ok {
					t.Errorf("%s: there is no metric %q", q.where, s.name)
				}
				check(e, s.labels...)
			case *metricsql.AggrFuncExpr:
				check(e, e.Modifier.Args...)
			case *metricsql.BinaryOpExpr:
				check(e, e.GroupModifier.Args...)
				check(e, e.JoinModifier.Args...)
			}
		})
		if strings.HasPrefix(q.where, "rule ") {
			// The result has the labels of what stands first. Of a panel, the test with a real Prometheus looks at the result.
			for _, label := range q.labels {
				if first := selectors(e)[0]; !slices.Contains(have[first.name], label) {
					t.Errorf("%s: its annotations name the label %s, which %s does not have", q.where, label, first.name)
				}
			}
		}
	}
	// What is counted and shown nowhere is either needless or forgotten.
	for name := range have {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "ordersync_") && !used[name] && !used[base+"_bucket"] {
			t.Errorf("neither a panel nor a rule uses %s", name)
		}
	}
}

// Grafana's own types take the dashboards, nothing missing and nothing unknown.
func TestDashboardsAreGrafanas(t *testing.T) {
	t.Parallel()
	for title, content := range dashboards {
		//lint:ignore SA1019 Every Grafana imports this format; the one that shall replace it only the newest do.
		var d dashboard.Dashboard
		if err := d.UnmarshalJSONStrict(content); err != nil && err.Error() != "" { // it gives an empty list as an error
			t.Errorf("%s: %v", title, err)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", title, err)
		}
		if d.SchemaVersion < 39 || d.Title == nil || *d.Title != title { // of Grafana 11
			t.Errorf("%s: schema version %d, %v", title, d.SchemaVersion, d.Title)
		}
		// It is importable as it is: the data source is chosen on it, none is built in.
		if s := string(content); strings.Contains(s, "__inputs") || strings.Count(s, `"uid": "`) != strings.Count(s, `"uid": "${datasource}"`)+1 {
			t.Errorf("%s: a data source is built in", title)
		}
	}
}

func TestPanelsExplainThemselves(t *testing.T) {
	t.Parallel()
	for title, content := range dashboards {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			panelsExplainThemselves(t, panels(t, content))
		})
	}
}

func panelsExplainThemselves(t *testing.T, all []panel) {
	titles := map[string]int{}
	var seen []panel
	for _, p := range all {
		for _, other := range seen {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, other.Title)
			}
		}
		seen = append(seen, p)
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is wider than the dashboard", p.Title)
		}
		if p.Type == "row" {
			continue
		}
		titles[p.Type+p.Title]++
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || titles[p.Type+p.Title] > 1 {
			t.Errorf("%s: description %q, unit %q, %d of this title", p.Title, p.Description, p.FieldConfig.Defaults.Unit, titles[p.Type+p.Title])
		}
		if p.Type == "stat" && p.FieldConfig.Defaults.Thresholds == nil {
			t.Errorf("%s has no thresholds", p.Title)
		}
	}
}

func TestRulesExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, r := range rules(t).Groups[0].Rules {
		if s := r.Labels["severity"]; s != "critical" && s != "warning" || len(r.Labels) != 1 {
			t.Errorf("%s: labels %v", r.Alert, r.Labels)
		}
		if got := slices.Sorted(maps.Keys(r.Annotations)); !slices.Equal(got, []string{"description", "runbook", "summary"}) {
			t.Errorf("%s: annotations %v", r.Alert, got)
		}
		if !strings.Contains(r.Annotations["runbook"], "ordersync ") && !strings.Contains(r.Annotations["runbook"], "log") && !strings.Contains(r.Annotations["runbook"], "quota") {
			t.Errorf("%s: the runbook names nothing to do", r.Alert)
		}
	}
}
