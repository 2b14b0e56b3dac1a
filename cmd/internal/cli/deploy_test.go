package cli_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// What cmd/README.md deploys, as far as it can be tried without a cluster or an engine of containers: the configurations are
// right, and the parts of each deployment fit to each other and to the image.

// yamlBlock is the block of a README that begins so.
func yamlBlock(t *testing.T, beginning string) string {
	t.Helper()
	_, texts := blocks(t, "yaml")
	i := slices.IndexFunc(texts, func(s string) bool { return strings.HasPrefix(s, beginning) })
	if i < 0 {
		t.Fatalf("no README has a block that begins with %q", beginning)
	}
	return texts[i]
}

// configured parses a configuration that gets these variables and no others.
func configured(t *testing.T, text string, variables []string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("README.md", []byte(text), func(name string) (string, bool) { return "x", slices.Contains(variables, name) })
	if err != nil {
		t.Fatal(err)
	}
	if cfg.HTTP.Listen != "0.0.0.0:9464" {
		t.Errorf("nobody outside the container reaches %s", cfg.HTTP.Listen)
	}
	return cfg
}

func TestReadmeSystemd(t *testing.T) {
	t.Parallel()
	_, texts := blocks(t, "ini")
	if len(texts) != 1 {
		t.Fatalf("the READMEs have %d units", len(texts))
	}
	contains(t, texts[0], "ExecStart=/usr/local/bin/ordersync run", "RestartPreventExitStatus=2", "TimeoutStopSec=60")
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not here to verify the unit: ", err)
	}
	w := newWorld(t, 0)
	// The program need not be where the unit has it, but systemd looks.
	w.write("ordersync.service", strings.ReplaceAll(texts[0], "/usr/local/bin/ordersync", w.command().Path))
	if out, err := exec.CommandContext(t.Context(), verify, "verify", filepath.Join(w.dir, "ordersync.service")).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReadmeCompose(t *testing.T) {
	t.Parallel()
	type service struct {
		Image       string
		ReadOnly    bool           `yaml:"read_only"`
		Environment map[string]any `yaml:"environment"`
		Volumes     []string
		Ports       []string
		Configs     []struct{ Source, Target string }
	}
	var c struct {
		Services map[string]service
		Configs  map[string]struct{ Content string }
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(yamlBlock(t, "services:")), &c); err != nil {
		t.Fatal(err)
	}
	own := c.Services["ordersync"]
	variables := slices.Collect(maps.Keys(own.Environment))
	_, texts := blocks(t, "yaml")
	i := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, `"clickhouse:9000"`) })
	cfg := configured(t, texts[i], variables)
	if host, _, _ := strings.Cut(cfg.ClickHouse.Addr[0], ":"); c.Services[host].Image == "" {
		t.Errorf("there is no service %s", host)
	}
	if user := c.Services["clickhouse"].Environment["CLICKHOUSE_USER"]; user != cfg.ClickHouse.Username {
		t.Errorf("the user is %v there and %s here", user, cfg.ClickHouse.Username)
	}
	if !own.ReadOnly || !slices.Contains(own.Volumes, "./ordersync.yaml:/etc/ordersync/ordersync.yaml:ro") {
		t.Errorf("%+v", own) // a config would not do: Compose copies it, which a read-only root refuses
	}
	contains(t, c.Configs["prometheus"].Content, "ordersync:9464", "rule_files: [ordersync.rules.yaml]")
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			if volume, _, _ := strings.Cut(v, ":"); !strings.HasPrefix(volume, ".") {
				if _, ok := c.Volumes[volume]; !ok {
					t.Errorf("%s: there is no volume %s", name, volume)
				}
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: everybody reaches %s, and nothing asks for a password there", name, p)
			}
		}
		for _, k := range s.Configs {
			if _, ok := c.Configs[k.Source]; !ok {
				t.Errorf("%s: there is no config %s", name, k.Source)
			}
		}
	}
}

func TestReadmeKubernetes(t *testing.T) {
	t.Parallel()
	objects := map[string]map[string]any{}
	for doc := range strings.SplitSeq(yamlBlock(t, "apiVersion:"), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		objects[o["kind"].(string)] = o
	}
	at := func(kind, path string) any {
		t.Helper()
		p, err := yaml.PathString("$." + path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := yaml.Marshal(objects[kind])
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := p.Read(strings.NewReader(string(content)), &v); err != nil {
			t.Errorf("%s has no %s: %v", kind, path, err)
		}
		return v
	}
	secret := at("Secret", "stringData").(map[string]any)
	cfg := configured(t, at("ConfigMap", "data").(map[string]any)["ordersync.yaml"].(string), slices.Collect(maps.Keys(secret)))
	if !strings.HasPrefix(cfg.ClickHouse.Embedded, "/data/") {
		t.Errorf("the data is in %s, which is no volume", cfg.ClickHouse.Embedded)
	}
	const container = "spec.template.spec.containers[0]."
	for path, want := range map[string]any{
		"spec.replicas":      uint64(1),
		"spec.strategy.type": "Recreate",
		"spec.template.spec.securityContext.runAsNonRoot":               true,
		"spec.template.spec.securityContext.runAsUser":                  uint64(65532), // the image's
		"spec.template.spec.securityContext.fsGroup":                    uint64(65532),
		container + "securityContext.readOnlyRootFilesystem":            true,
		container + "securityContext.allowPrivilegeEscalation":          false,
		container + "startupProbe.httpGet.path":                         "/healthz",
		container + "livenessProbe.httpGet.path":                        "/healthz",
		container + "readinessProbe.httpGet.path":                       "/readyz",
		container + "readinessProbe.httpGet.port":                       "http",
		container + "ports[0].name":                                     "http",
		container + "ports[0].containerPort":                            uint64(9464),
		container + "volumeMounts[0].mountPath":                         "/etc/ordersync", // $ORDERSYNC_CONFIG of the image
		container + "volumeMounts[1].mountPath":                         "/data",
		container + "envFrom[0].secretRef.name":                         objects["Secret"]["metadata"].(map[string]any)["name"],
		"spec.template.spec.volumes[0].configMap.name":                  objects["ConfigMap"]["metadata"].(map[string]any)["name"],
		"spec.template.spec.volumes[1].persistentVolumeClaim.claimName": objects["PersistentVolumeClaim"]["metadata"].(map[string]any)["name"],
	} {
		if got := at("Deployment", path); got != want {
			t.Errorf("%s is %v, not %v", path, got, want)
		}
	}
	labels := at("Deployment", "spec.template.metadata.labels").(map[string]any)
	for of, selector := range map[string]any{"Deployment": at("Deployment", "spec.selector.matchLabels"), "Service": at("Service", "spec.selector")} {
		if !maps.Equal(selector.(map[string]any), labels) {
			t.Errorf("the %s selects %v, the pod has %v", of, selector, labels)
		}
	}
}

// The image is what the deployments say of it.
func TestReadmeImage(t *testing.T) {
	t.Parallel()
	dockerfile := readFile(t, "../../../Dockerfile")
	for _, line := range []string{"USER 65532:65532", "ENV ORDERSYNC_CONFIG=/etc/ordersync/ordersync.yaml", `ENTRYPOINT ["ordersync"]`, `CMD ["run"]`, "VOLUME /data"} {
		if !regexp.MustCompile("(?m)^" + regexp.QuoteMeta(line) + "$").MatchString(dockerfile) {
			t.Errorf("the Dockerfile has no line %s", line)
		}
	}
	contains(t, dockerfile, `HEALTHCHECK --start-period=60s CMD ["ordersync", "healthcheck"]`)
}
