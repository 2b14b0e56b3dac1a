package cli

import (
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/format"
)

// loginReport is how another program logs in. It is the one place where a password is shown, to whoever asks for it (I10).
type loginReport struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	HTTP     string `json:"http"`
	Username string `json:"username"`
	Password string `json:"password"`
	Database string `json:"database"`
	Secure   bool   `json:"secure"`
	Client   string `json:"clickhouse_client"`
	Curl     string `json:"curl"`
}

func (p *program) printLogin(l app.Login, asJSON bool) error {
	host, port, err := net.SplitHostPort(l.Native)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
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
	}
	if asJSON {
		p.json(r)
		return nil
	}
	fmt.Fprintf(p.out, "native    %s\nHTTP      %s\nuser      %s\npassword  %s\ndatabase  %s\n\n%s\n%s\n",
		l.Native, r.HTTP, r.Username, r.Password, r.Database, r.Client, r.Curl)
	return nil
}
