package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/format"
)

// loginReport is how another program logs in. It is the one place where a password is shown, to whoever asks for it (I10).
type loginReport struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	HTTP       string `json:"http"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	Database   string `json:"database"`
	Secure     bool   `json:"secure"`
	Client     string `json:"clickhouse_client"`
	Curl       string `json:"curl"`
	Grafana    string `json:"grafana"`     // a file for the folder provisioning/datasources
	Superset   string `json:"superset"`    // an SQLAlchemy URI
	JDBC       string `json:"jdbc"`        // a URL without the login, for DBeaver and others
	HTTPHost   string `json:"http_host"`   // of the HTTP interface, for programs that ask for it in parts
	HTTPPort   int    `json:"http_port"`   // likewise
	HTTPSecure bool   `json:"http_secure"` // TLS on it
}

// login prints how another program logs in.
func (p *program) login(ctx context.Context, cfg *config.Config, w *app.Warehouse) error {
	l, err := w.Login(ctx)
	if err != nil {
		return err
	}
	if !cfg.ClickHouse.IsEmbedded() && !l.Reader {
		fmt.Fprintln(p.console, "this user may write, too: clickhouse.reader names one who may only read, and `ordersync grants` prints the statements that make one")
	}
	return p.printLogin(l)
}

func (p *program) printLogin(l app.Login) error {
	host, port, err := net.SplitHostPort(l.Native)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	web, err := url.Parse(l.HTTP)
	if err != nil {
		return err
	}
	password := l.Password.Reveal()
	secure := ""
	if l.Secure {
		secure = " --secure"
	}
	r := loginReport{
		Host: host, Port: n, HTTP: l.HTTP, Username: l.Username, Password: password, Database: l.Database, Secure: l.Secure,
		Client: fmt.Sprintf("clickhouse-client --host %s --port %d%s --user %s --password %s --database %s",
			host, n, secure, format.ShellWord(l.Username), format.ShellWord(password), l.Database),
		Curl: fmt.Sprintf("curl --user %s %s --data 'SELECT count() FROM orders'", format.ShellWord(l.Username+":"+password),
			format.ShellWord(l.HTTP+"/?database="+url.QueryEscape(l.Database))),
		HTTPHost: web.Hostname(), HTTPSecure: web.Scheme == "https",
	}
	standard := "80"
	if r.HTTPSecure {
		standard = "443"
	}
	if r.HTTPPort, err = strconv.Atoi(cmp.Or(web.Port(), standard)); err != nil {
		return err
	}
	r.tools()
	p.report(r, func() {
		fmt.Fprintf(p.out, "native    %s\nHTTP      %s\nuser      %s\npassword  %s\ndatabase  %s\n\n%s\n%s\n",
			l.Native, r.HTTP, r.Username, r.Password, r.Database, r.Client, r.Curl)
		fmt.Fprintf(p.out, loginTools, r.HTTPHost, r.HTTPPort, onOff(r.HTTPSecure), r.Database, r.Superset, r.JDBC, strings.ReplaceAll(r.Grafana, "\n", "\n  "))
	})
	return nil
}

// loginTools is what the programs ask for; all log in as the user with the password above.
const loginTools = `
Metabase, Power BI (connector ClickHouse; Power BI wants ClickHouse's ODBC driver)
  host %[1]s, port %[2]d, SSL %[3]s, database %[4]s

Superset (pip install clickhouse-connect; Settings, Database Connections, Other)
  %[5]s

DBeaver and others that speak JDBC
  %[6]s

Grafana (a file in provisioning/datasources; its dashboard: ordersync monitoring business)
  %[7]s
`

// quoted is a text of YAML, in which Grafana would put in variables of its environment.
func quoted(text string) string {
	b, _ := json.Marshal(text) // no text fails
	return strings.ReplaceAll(string(b), "$", "$$")
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// tools writes the login as programs take it in one piece.
func (r *loginReport) tools() {
	address := net.JoinHostPort(r.HTTPHost, strconv.Itoa(r.HTTPPort))
	uri := url.URL{Scheme: "clickhousedb", User: url.UserPassword(r.Username, r.Password), Host: address, Path: "/" + r.Database}
	jdbc := url.URL{Scheme: "jdbc:clickhouse", Host: address, Path: "/" + r.Database}
	if r.HTTPSecure {
		uri.RawQuery, jdbc.RawQuery = "secure=true", "ssl=true"
	}
	r.Superset, r.JDBC = uri.String(), jdbc.String()
	r.Grafana = fmt.Sprintf(`apiVersion: 1
datasources:
  - name: ordersync
    type: grafana-clickhouse-datasource
    jsonData: {protocol: native, host: %s, port: %d, secure: %t, username: %s, defaultDatabase: %s}
    secureJsonData: {password: %s}`, quoted(r.Host), r.Port, r.Secure, quoted(r.Username), quoted(r.Database), quoted(r.Password))
}
