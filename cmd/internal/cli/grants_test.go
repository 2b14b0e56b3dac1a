package cli_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink/embedded"
)

// serverWithUsers starts a server on which users can be made.
func (w *world) serverWithUsers() driver.Conn {
	w.t.Helper()
	w.write("users.xml", "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>"+
		"<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><access_management>1</access_management></default></users></clickhouse>")
	w.write("config.xml", "<clickhouse><user_directories><users_xml><path>"+w.dir+"/users.xml</path></users_xml><memory/></user_directories></clickhouse>")
	server, err := embedded.Open(w.t.Context(), embedded.Options{Dir: filepath.Join(w.dir, "warehouse"), ConfigFile: filepath.Join(w.dir, "config.xml")})
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{server.Addr()}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := errors.Join(conn.Close(), server.Close()); err != nil {
			w.t.Error(err)
		}
	})
	w.addr, w.database = server.Addr(), "orders"
	return conn
}

// The reader that the statements make can read, choose formats, and do nothing else; its grants decide, and no words.
func TestGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	conn := w.serverWithUsers()
	w.configureAgain()
	w.run(0, "check")
	contains(t, w.run(0, "grants").out, "`default`", "`ordersync_reader`", "'PASSWORD'")
	reader := "reader_of_" + w.database
	w.configureAgain("username: default", "username: default, reader: {username: "+reader+", password: "+secret+"}")
	_, statements, _ := strings.Cut(w.run(0, "grants").out, "-- Who may")
	for _, s := range strings.Split(statements, ";\n") {
		if _, s, ok := strings.Cut("\n"+s, "\nCREATE"); ok {
			s = "CREATE" + s
			if err := conn.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		} else if _, s, ok := strings.Cut("\n"+s, "\nGRANT"); ok {
			if err := conn.Exec(t.Context(), "GRANT"+s); err != nil {
				t.Fatal(err)
			}
		}
	}
	contains(t, w.run(0, "sql", "--json", "SELECT currentUser() AS u, count() AS n FROM orders").out, `{"u":"`+reader+`","n":"0"}`)
	w.run(0, "sql", "SELECT toStartOfMonth(create_time) AS m, * APPLY(toString) FROM spend LIMIT 1")
	for _, text := range []string{
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a Int8')", "DROP TABLE orders",
		"INSERT INTO product_rows SELECT * FROM product_rows", "SYSTEM FLUSH LOGS", "SELECT * FROM system.users", "SELECT file('/etc/passwd')",
	} {
		if r := w.run(1, "sql", text); strings.Contains(r.out+r.err, "root:") || !strings.Contains(r.err, "ClickHouse error") {
			t.Errorf("%s: %+v", text, r)
		}
	}
	w.configureAgain("username: default", "username: default, reader: {username: "+reader+", password: wrong}")
	contains(t, w.run(3, "sql", "SELECT 1").err, "516")
}
