package cli_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// readerGrant is what the reader gets, without its name.
const readerGrant = "GRANT SELECT ON `orders`.*"

// withReader starts a server with a reader as `ordersync grants` describes it, and returns its password: this engine takes no
// CREATE USER.
func (w *world) withReader() (password string) {
	w.t.Helper()
	server, err := embedded.Open(w.t.Context(), embedded.Options{Dir: filepath.Join(w.dir, "warehouse"), Database: "orders", Open: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.addr, w.database = server.Addr(), "orders"
	return server.Login(embedded.Reader).Password
}

// The reader can read, choose formats, and do nothing else; its grants decide, and no words.
func TestReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	password := w.withReader()
	w.configureAgain()
	w.run(0, "migrate")
	w.configureAgain("username: default", `username: default, reader: {username: reader, password: `+password+`}`)
	contains(t, w.run(0, "sql", "--json", "SELECT currentUser() AS u, count() AS n FROM orders").out, `{"u":"reader","n":"0"}`)
	w.run(0, "sql", "SELECT toStartOfMonth(create_time) AS m, COLUMNS('id') APPLY(toString) FROM spend LIMIT 1")
	for _, text := range []string{
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a Int8')", "DROP TABLE orders",
		"INSERT INTO product_rows SELECT * FROM product_rows", "SYSTEM FLUSH LOGS", "SELECT * FROM system.users",
		"SELECT 1 SETTINGS readonly = 0", "KILL QUERY WHERE 1",
	} {
		if r := w.run(1, "sql", text); strings.Contains(r.out+r.err, "root:") || !strings.Contains(r.err, "ClickHouse error") {
			t.Errorf("%s: %+v", text, r)
		}
	}
	w.run(0, "sql", "--write", "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a; DROP TABLE t")

	w.loginWorks(password)

	// A reader who was given too much is kept to reading all the same.
	w.configureAgain("username: default", "username: default, reader: {username: default}")
	for _, text := range []string{"CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a", "DROP VIEW orders", "SET readonly = 0; DROP VIEW orders",
		"INSERT INTO product_rows SELECT * FROM product_rows SETTINGS readonly = 0"} {
		contains(t, w.run(1, "sql", text).err, "ClickHouse error 164", "--write")
	}

	w.configureAgain("username: default", "username: default, reader: {username: reader, password: wrong}")
	contains(t, w.run(3, "sql", "SELECT 1").err, "516")
}

// loginWorks takes the login that is printed to who asks for it.
func (w *world) loginWorks(password string) {
	w.t.Helper()
	r := w.command("sql", "--login", "--json")
	out, err := r.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	login := decode[struct{ HTTP, Username, Password, Database, Curl string }](w.t, string(out))
	answer, err := exec.CommandContext(w.t.Context(), "sh", "-c", login.Curl).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(answer), "0\n") || password != "" && login.Password != password || login.Username != "reader" {
		w.t.Errorf("%+v: %v %s", login, err, answer)
	}
}

// The embedded warehouse has its reader from the beginning.
func TestReaderOfTheEmbeddedWarehouse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.write("ordersync.yaml", "accounts: [{name: main, source: bss, endpoint: \""+w.url+"\", credentials: {access_key_id: testid, access_key_secret: \"${TEST_SECRET}\"}}]\n"+
		"clickhouse: {embedded: ./warehouse, database: shop}\n")
	w.run(0, "backfill", "--from", "-1h")
	w.holdEngine("warehouse", "shop")
	contains(t, w.run(0, "sql", "--json", "SELECT currentUser() AS u, currentDatabase() AS d, count() AS n FROM orders").out, `{"u":"reader","d":"shop","n":"0"}`)
	for _, text := range []string{
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT file('/etc/passwd')", "DROP VIEW orders", "SYSTEM FLUSH LOGS", "SELECT * FROM system.users",
	} {
		if r := w.run(1, "sql", text); strings.Contains(r.out+r.err, "root:") || !strings.Contains(r.err, "Code: ") && !strings.Contains(r.err, "ClickHouse error") {
			t.Errorf("%s: %+v", text, r)
		}
	}
	w.run(0, "sql", "--write", "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a; DROP TABLE t")
	if r := w.run(1, "sql", "--write", "SELECT file('/etc/passwd')"); strings.Contains(r.out+r.err, "root:") {
		t.Errorf("%+v", r)
	}
}

// The statements are ones of the language, with the password as a hash.
func TestGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.database = "orders"
	contains(t, w.run(0, "grants").out, "`ordersync_reader`", "'PASSWORD'")
	w.configureAgain("username: default", `username: us`+"`"+`er, cluster: east, reader: {username: analyst, password: "${TEST_SECRET}"}`)
	text := w.run(0, "grants").out
	contains(t, text, "IDENTIFIED WITH sha256_hash", "ON CLUSTER `east`", "SETTINGS readonly = 2;", strings.Replace(readerGrant, "GRANT", "GRANT ON CLUSTER `east`", 1)+" TO `analyst`;")
	conn := sinktest.Conn(t, "system")
	for _, s := range strings.Split(strings.TrimSpace(text), ";\n") {
		var formatted string
		if err := conn.QueryRow(t.Context(), "SELECT formatQuery($1)", s).Scan(&formatted); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	w.write("embedded.yaml", "clickhouse: {embedded: ./x}")
	contains(t, w.run(1, "grants", "-c", "embedded.yaml").err, "--login")
}
