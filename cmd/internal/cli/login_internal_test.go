package cli

import (
	"net/url"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A login in one piece is read as the same login, whatever is in it.
func TestLoginTools(t *testing.T) {
	t.Parallel()
	const password = `p@$s:/?#%"'ü $$ {x}`
	r := loginReport{Host: "db.example.com", Port: 9440, Secure: true, HTTPHost: "::1", HTTPPort: 8443, HTTPSecure: true, Username: "reader", Password: password, Database: "orders 1"}
	r.tools()
	u, err := url.Parse(r.Superset)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := u.User.Password(); got != password || u.User.Username() != "reader" || u.Host != "[::1]:8443" || u.Path != "/orders 1" || u.Query().Get("secure") != "true" {
		t.Errorf("%s", r.Superset)
	}
	if r.JDBC != "jdbc:clickhouse://[::1]:8443/orders%201?ssl=true" {
		t.Errorf("%s", r.JDBC)
	}
	var f struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type string
			JSONData   struct {
				Protocol, Host, Username, DefaultDatabase string
				Port                                      int
				Secure                                    bool
			} `yaml:"jsonData"`
			SecureJSONData struct{ Password string } `yaml:"secureJsonData"`
		}
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(r.Grafana, "defaultDatabase", "defaultdatabase")), &f); err != nil {
		t.Fatalf("%v\n%s", err, r.Grafana)
	}
	d := f.Datasources[0]
	// Grafana reads $$ as $.
	if got := strings.ReplaceAll(d.SecureJSONData.Password, "$$", "$"); got != password || d.Type != "grafana-clickhouse-datasource" || d.JSONData.Host != r.Host ||
		d.JSONData.Port != 9440 || !d.JSONData.Secure || d.JSONData.Username != "reader" || d.JSONData.DefaultDatabase != "orders 1" || d.JSONData.Protocol != "native" {
		t.Errorf("%+v\n%s", d, r.Grafana)
	}
}
