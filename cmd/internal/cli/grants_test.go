package cli_test

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// readerGrant is what the reader gets, without its name.
const readerGrant = "GRANT SELECT ON `orders`.*"

// withReader starts a server with a reader as `ordersync grants` describes it: this engine takes no CREATE USER.
func (w *world) withReader() {
	w.t.Helper()
	w.write("users.xml", fmt.Sprintf(`<clickhouse><profiles><default/><reader><readonly>2</readonly></reader></profiles><quotas><default/></quotas><users>
<default><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>
<analyst><password_sha256_hex>%x</password_sha256_hex><networks><ip>::/0</ip></networks><profile>reader</profile><quota>default</quota>
<grants><query>%s</query></grants></analyst></users></clickhouse>`, sha256.Sum256([]byte(secret)), readerGrant))
	w.write("config.xml", "<clickhouse><users_config>"+w.dir+"/users.xml</users_config></clickhouse>")
	server, err := embedded.Open(w.t.Context(), embedded.Options{Dir: filepath.Join(w.dir, "warehouse"), ConfigFile: filepath.Join(w.dir, "config.xml")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.addr, w.database = server.Addr(), "orders"
}

// The reader can read, choose formats, and do nothing else; its grants decide, and no words.
func TestReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.withReader()
	w.configureAgain()
	w.run(0, "check")
	w.configureAgain("username: default", `username: default, reader: {username: analyst, password: "${TEST_SECRET}"}`)
	contains(t, w.run(0, "sql", "--json", "SELECT currentUser() AS u, count() AS n FROM orders").out, `{"u":"analyst","n":"0"}`)
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

	// Its login is printed to who asks for it, and works.
	r := w.command("sql", "--login", "--json")
	out, err := r.Output()
	if err != nil {
		t.Fatal(err)
	}
	login := decode[struct{ HTTP, Username, Password, Database, Curl string }](t, string(out))
	answer, err := exec.CommandContext(t.Context(), "sh", "-c", login.Curl).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(answer), "0\n") || login.Password != secret || login.Username != "analyst" {
		t.Errorf("%+v: %v %s", login, err, answer)
	}

	w.configureAgain("username: default", "username: default, reader: {username: analyst, password: wrong}")
	contains(t, w.run(3, "sql", "SELECT 1").err, "516")
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
