//go:build linux || darwin

package embedded

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// login connects as somebody.
func login(t *testing.T, addr, user, password, database string) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{addr}, Auth: clickhouse.Auth{Database: database, Username: user, Password: password}, DialTimeout: 20 * time.Second,
	})
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a query over HTTP and returns the status and what was said.
func ask(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	check(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	check(t, err)
	return resp.StatusCode, string(b)
}

func query(t *testing.T, s *Server, l Login, text string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.HTTPAddr()+"/", strings.NewReader(text))
	check(t, err)
	if l != (Login{}) {
		req.SetBasicAuth(l.Username, l.Password)
	}
	return req
}

// Nobody reaches anything but the database, whoever they are and however they ask. What exists is asked of the engine, so
// that a function or a kind of table that a later engine has is tried, too.
func TestUsersReachTheDatabaseOnly(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	owner := connect(t, s)
	fill(t, owner)
	secretFile := filepath.Join(t.TempDir(), "secret")
	const secret = "hunter2-in-a-file"
	check(t, os.WriteFile(secretFile, []byte(secret), 0o644))

	attacks := []string{
		"SELECT * FROM file('" + secretFile + "', 'LineAsString', 'l String')",
		"SELECT l FROM file('/proc/" + fmt.Sprint(os.Getpid()) + "/environ', 'RawBLOB', 'l String')",
		"INSERT INTO FUNCTION file('" + secretFile + "', 'LineAsString', 'l String') SELECT 'overwritten'",
		"SELECT file('" + secretFile + "')", "SELECT file('/proc/" + fmt.Sprint(os.Getpid()) + "/environ')", "SELECT file('../passwords.json')",
		"SELECT file('" + filepath.Join(s.files.dir, "passwords.json") + "')",
		"SELECT * FROM url('http://" + s.HTTPAddr() + "/ping', 'LineAsString', 'l String')",
		"SELECT * FROM s3('http://127.0.0.1:1/x', 'LineAsString', 'l String')",
		"SELECT * FROM remote('" + s.Addr() + "', 'system', 'one')", "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
		"SELECT * FROM executable('cat', 'LineAsString', 'l String')", "SELECT * FROM shop.orders INTO OUTFILE '/tmp/x'",
		"CREATE FUNCTION f AS (x) -> x", "SYSTEM SHUTDOWN", "SYSTEM KILL", "SYSTEM FLUSH LOGS", "DROP DATABASE system", "DROP DATABASE default",
		"CREATE DATABASE elsewhere", "CREATE USER u", "GRANT ALL ON *.* TO reader", "ALTER USER reader IDENTIFIED BY 'x'",
		"BACKUP DATABASE shop TO File('" + t.TempDir() + "/b')", "RESTORE DATABASE shop FROM File('/tmp/b')",
		"CREATE DICTIONARY shop.d (a UInt64) PRIMARY KEY a SOURCE(FILE(path '" + secretFile + "' format 'CSV')) LAYOUT(FLAT()) LIFETIME(1)",
		"CREATE DICTIONARY shop.d2 (a UInt64) PRIMARY KEY a SOURCE(HTTP(url 'http://127.0.0.1:1/' format 'CSV')) LAYOUT(FLAT()) LIFETIME(1)",
		"CREATE NAMED COLLECTION c AS a = 1", "ATTACH DATABASE x ENGINE = Filesystem('/')", "CREATE DATABASE x ENGINE = Filesystem('/')", "CREATE DATABASE shop2",
		"INSERT INTO system.numbers VALUES (1)",
	}
	// The engine's own lists, read as the owner: it may see system tables, and no more than see them.
	column := func(q string) (out []string) {
		rows, err := owner.Query(t.Context(), q)
		check(t, err)
		defer rows.Close()
		for rows.Next() {
			var v string
			check(t, rows.Scan(&v))
			out = append(out, v)
		}
		check(t, rows.Err())
		return out
	}
	// Those that only make values or name tables of the server, each of which has its own grant.
	inside := "'numbers', 'numbers_mt', 'zeros', 'zeros_mt', 'generateSeries', 'generate_series', 'generateRandom', 'values', 'SQLStandardValues', 'null', 'view', 'viewExplain', " +
		"'merge', 'input', 'format', 'dictionary', 'fuzzQuery', 'fuzzJSON', 'loop', 'primes', 'primes_mt', 'filesystem'"
	functions := column("SELECT name FROM system.table_functions WHERE name NOT IN (" + inside + ") AND name NOT LIKE 'mergeTree%' AND name NOT LIKE 'timeSeries%'")
	if len(functions) < 20 {
		t.Errorf("only %d table functions are tried", len(functions))
	}
	for _, f := range functions {
		attacks = append(attacks, "SELECT * FROM "+f+"('"+secretFile+"', 'LineAsString', 'l String')", "SELECT * FROM "+f+"('"+secretFile+"')",
			"SELECT * FROM "+f+"('"+s.Addr()+"', 'system', 'one')")
	}
	kinds := column("SELECT name FROM system.table_engines WHERE name NOT IN ('" + strings.Join(engines, "', '") + "')")
	if len(kinds) < 20 {
		t.Errorf("only %d kinds of tables are tried", len(kinds))
	}
	for _, k := range kinds {
		attacks = append(attacks, "CREATE TABLE shop.bad (l String) ENGINE = "+k+"('"+secretFile+"')", "CREATE TABLE shop.bad (l String) ENGINE = "+k)
	}
	before := s.Pid()
	for _, who := range []Login{s.Login(Owner), s.Login(Reader), {}, {Username: "default"}} {
		for _, attack := range attacks {
			status, said := ask(t, query(t, s, who, attack))
			if status == http.StatusOK || strings.Contains(said, secret) {
				t.Errorf("%q: %s: %d %.300s", who.Username, attack, status, said)
			}
		}
	}
	for _, attack := range []string{
		"DROP TABLE shop.orders", "TRUNCATE TABLE shop.orders", "ALTER TABLE shop.orders DELETE WHERE 1", "INSERT INTO shop.orders SELECT 1, now()",
		"CREATE TABLE shop.t (a Int8) ENGINE = MergeTree ORDER BY a", "SELECT 1 SETTINGS readonly = 0", "SET readonly = 0", "SELECT name FROM system.query_log",
		"SELECT * FROM system.processes", "SELECT * FROM system.users", "KILL QUERY WHERE 1",
	} {
		if status, said := ask(t, query(t, s, s.Login(Reader), attack)); status == http.StatusOK {
			t.Errorf("the reader: %s: %d %.300s", attack, status, said)
		}
	}
	// A table's own disk may be anywhere, and no grant is asked for it.
	for _, attack := range []string{
		"CREATE TABLE shop.far (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'web', endpoint = 'http://127.0.0.1:1/')",
		"CREATE TABLE shop.far (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 's3', endpoint = 'http://a-bucket.s3.amazonaws.com/x/', skip_access_check = 1)",
		"ALTER TABLE shop.orders MODIFY SETTING disk = disk(type = 'web', endpoint = 'http://127.0.0.1:1/')",
	} {
		if _, said := ask(t, query(t, s, s.Login(Owner), attack)); !strings.Contains(said, "disk should not be changed") {
			t.Errorf("the owner: %s: %.300s", attack, said)
		}
	}
	if status, said := ask(t, query(t, s, s.Login(Reader), "SELECT count() FROM shop.orders")); status != http.StatusOK || said != "1000\n" {
		t.Errorf("the reader reads: %d %s", status, said)
	}
	if b, err := os.ReadFile(secretFile); err != nil || string(b) != secret {
		t.Errorf("the file is now %q, %v", b, err)
	}
	if n := rows(t, owner); n != 1000 || s.Pid() != before {
		t.Errorf("%d rows; the server has pid %d, it had %d", n, s.Pid(), before)
	}
}

// A login that is refused is refused to that client, and ends the server for nobody.
func TestRefusedLoginsDoNotEndTheServer(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	owner := connect(t, s)
	fill(t, owner)
	before := s.Pid()
	good := s.Login(Owner)
	for range 3 {
		for _, c := range []struct{ user, password, database, want string }{
			{"nobody", "", "", "516"}, {"default", "", "", "516"}, {"default", "", "shop", "516"}, {Owner, "wrong", "", "516"}, {Owner, "", "shop", "516"},
			{Reader, good.Password, "shop", "516"}, {good.Username, good.Password, "no_such_database", "81"}, {" JWT AUTHENTICATION ", "x", "", "516"},
			{" INTERSERVER SECRET ", "", "", "516"}, {strings.Repeat("x", 1<<20), "", "", ""},
		} {
			if err := login(t, s.Addr(), c.user, c.password, c.database).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.20q in %q: %v", c.user, c.database, err)
			}
		}
		for _, garbage := range []string{"\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n", "\x00\xff\xff\xff\xff\xff\xff\xff\x7f", "\x00\x01x\x18\x00", "\x01"} {
			conn, err := net.Dial("tcp", s.Addr())
			check(t, err)
			_, err = io.WriteString(conn, garbage)
			check(t, err)
			check(t, conn.Close())
		}
	}
	if n := rows(t, owner); n != 1000 || s.Pid() != before {
		t.Errorf("%d rows; the server has pid %d, it had %d", n, s.Pid(), before)
	}
}

// A page of another site gets nothing, whatever it does to the name of the server or knows of the password.
func TestForeignPagesGetNothing(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	fill(t, connect(t, s))
	at, err := url.Parse("http://" + s.HTTPAddr())
	check(t, err)
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"nobody":             {func(r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
		"wrong password":     {func(r *http.Request) { r.SetBasicAuth(Reader, "x") }, http.StatusForbidden},
		"another name":       {func(r *http.Request) { r.Host = "evil.example:" + at.Port() }, http.StatusMisdirectedRequest},
		"no name":            {func(r *http.Request) { r.Host = "10.0.0.1" }, http.StatusMisdirectedRequest},
		"another origin":     {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		"another port":       {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, http.StatusForbidden},
		"no origin":          {func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
		"an image elsewhere": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		"its own page": {func(r *http.Request) {
			r.Header.Set("Origin", at.String())
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, http.StatusOK},
		"localhost": {func(r *http.Request) { r.Host = "localhost:" + at.Port() }, http.StatusOK},
		"any password, and default": {func(r *http.Request) {
			r.SetBasicAuth(Reader, "x")
			r.URL.RawQuery = "user=default"
		}, http.StatusBadRequest},
		"default written otherwise": {func(r *http.Request) { r.URL.RawQuery = "%75ser=default" }, http.StatusBadRequest},
		"two parameters": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "user=" + Reader + "&user=default"
		}, http.StatusBadRequest},
		"two headers": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header["X-Clickhouse-User"] = []string{Reader, "default"}
		}, http.StatusBadRequest},
		"a login that is not passed on": {func(r *http.Request) {
			r.SetBasicAuth(Reader, "x")
			r.Header.Set("Connection", "close, Authorization, X-ClickHouse-User, X-ClickHouse-Key")
		}, http.StatusForbidden},
		"a header that is not passed on": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-ClickHouse-User", Reader)
			r.Header.Set("Connection", "close, X-ClickHouse-User")
		}, http.StatusForbidden},
		"a certificate": {func(r *http.Request) {
			r.SetBasicAuth(Reader, "x")
			r.Header.Set("X-ClickHouse-SSL-Certificate-Auth", "on")
		}, http.StatusForbidden},
		"parameters": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = url.Values{"user": {Reader}, "password": {s.Login(Reader).Password}, "max_threads": {"1"}}.Encode()
		}, http.StatusOK},
		"a query with a semicolon": {func(r *http.Request) {
			r.URL.RawQuery = "query=SELECT+count()+FROM+shop.orders;"
			r.Body, r.ContentLength = http.NoBody, 0
		}, http.StatusOK},
		"a page of the engine, with a wrong password": {func(r *http.Request) {
			r.SetBasicAuth(Reader, "x")
			r.URL.Path = "/dashboard"
		}, http.StatusNotFound},
		"a path that is written otherwise": {func(r *http.Request) {
			r.SetBasicAuth(Reader, "x")
			r.URL.Path = "//jemalloc"
		}, http.StatusNotFound},
		"a header of its own": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-ClickHouse-User", Reader)
			r.Header.Set("X-ClickHouse-Key", s.Login(Reader).Password)
		}, http.StatusOK},
	} {
		req := query(t, s, s.Login(Reader), "SELECT count() FROM shop.orders")
		c.change(req)
		status, said := ask(t, req)
		if status != c.want || (status == http.StatusOK) != (said == "1000\n") {
			t.Errorf("%s: %d %s", name, status, said)
		}
	}
}

// Passwords are made once, and are nowhere that another user can look.
func TestPasswords(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := openDir(t, dir)
	first := s.Login(Owner)
	path := s.files.passwords
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 || first.Password == "" || first.Password == s.Login(Reader).Password {
		t.Errorf("%v, %q", info.Mode(), first.Password)
	}
	for _, p := range []string{fmt.Sprintf("/proc/%d/cmdline", s.Pid()), fmt.Sprintf("/proc/%d/environ", s.Pid())} {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), first.Password) {
			t.Errorf("%s holds the password", p)
		}
	}
	check(t, filepath.WalkDir(s.files.config, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if strings.Contains(string(b), first.Password) {
			t.Errorf("%s holds the password", p)
		}
		return err
	}))
	check(t, s.Close())
	if again := openDir(t, dir); again.Login(Owner) != first {
		t.Error("the password changed")
	}
	check(t, os.Chmod(path, 0o644))
	_, err = s.files.readPasswords()
	wantError(t, err, "chmod", path)
}

// A server that hangs, or has stopped listening on one of its ports, is as good as dead.
func TestServerThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	stopListening := func(port string) func(*testing.T, *Server) {
		return func(t *testing.T, s *Server) {
			status, said := ask(t, query(t, s, Login{Username: "default"}, "SYSTEM STOP LISTEN "+port))
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, said)
			}
		}
	}
	for name, c := range map[string]struct {
		open bool // default may do everything
		harm func(*testing.T, *Server)
	}{
		"hangs": {false, func(t *testing.T, s *Server) {
			p, err := os.FindProcess(s.Pid())
			check(t, err)
			check(t, p.Signal(syscall.SIGSTOP))
		}},
		"no native port": {true, stopListening("TCP")},
		"no HTTP port":   {true, stopListening("HTTP")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), Options{Dir: newDir(t), Database: "shop", Open: c.open, checkEvery: 100 * time.Millisecond})
			check(t, err)
			t.Cleanup(func() { _ = s.Close() })
			fill(t, connect(t, s))
			before := s.Pid()
			c.harm(t, s)
			deadline := time.Now().Add(2 * time.Minute)
			for s.Pid() == before || s.Pid() == 0 {
				if time.Now().After(deadline) {
					t.Fatal("the server was not replaced")
				}
				_ = pause(t.Context(), pollInterval)
			}
			conn := connect(t, s)
			for rows(t, conn) != 1000 {
				if time.Now().After(deadline) {
					t.Fatal("the rows are gone")
				}
				_ = pause(t.Context(), pollInterval)
			}
		})
	}
}

// The library is loaded only where nobody else can have written it.
func TestTrusted(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "cache")
	check(t, os.Mkdir(dir, 0o755))
	lib := filepath.Join(dir, fileName)
	check(t, os.WriteFile(lib, nil, 0o644))
	link := filepath.Join(root, "link.so")
	check(t, os.Symlink(lib, link))
	for _, p := range []string{lib, link} {
		if got, err := trusted(p); err != nil || filepath.Base(got) != fileName {
			t.Errorf("%s: %s, %v", p, got, err)
		}
	}
	for _, c := range []struct {
		path string
		mode os.FileMode
		bad  bool
	}{{lib, 0o664, true}, {lib, 0o646, true}, {lib, 0o644, false}, {dir, 0o775, true}, {dir, 0o757, true}, {dir, 0o777 | os.ModeSticky, false}, {dir, 0o755, false}} {
		check(t, os.Chmod(c.path, c.mode))
		_, err := trusted(link)
		if c.bad {
			wantError(t, err, "somebody else may have written it", "chmod go-w "+c.path)
		} else if err != nil {
			t.Errorf("%s %o: %v", c.path, c.mode, err)
		}
	}
	if os.Geteuid() == 0 {
		check(t, os.Lchown(lib, 12345, 12345))
		_, err := trusted(lib)
		wantError(t, err, "belongs to another user", "chown")
	}
}

// The engine's own ports are behind ours, but on this machine: nobody is let in there without a password either.
func TestNobodyIsDefault(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	fill(t, connect(t, s))
	out, err := exec.Command("ss", "-ltnpH").Output()
	if err != nil {
		t.Skipf("ss, which lists the ports of a process: %v", err)
	}
	tried := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if !strings.Contains(line, fmt.Sprintf("pid=%d,", s.Pid())) || fields[3] == s.Addr() || fields[3] == s.HTTPAddr() {
			continue
		}
		for _, user := range []string{"", "?user=default", "?user=" + Owner, "?user=" + Reader} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+fields[3]+"/"+user, strings.NewReader("SELECT 1"))
			check(t, err)
			if status, said := ask(t, req); status == http.StatusOK {
				t.Errorf("%s%s: %s", fields[3], user, said)
			}
			tried++
		}
	}
	if tried != 8 {
		t.Errorf("%d attempts on the engine's two ports", tried)
	}
}

// Clients that do not say who they are keep out nobody, and do not make the server look as if it hung.
func TestSilentClientsKeepOutNobody(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	fill(t, connect(t, s))
	before := s.Pid()
	for range 3 * maxLogins {
		conn, err := net.Dial("tcp", s.Addr())
		check(t, err)
		defer conn.Close()
		_, _ = conn.Write([]byte{0}) // the beginning of a login; the server may have closed an older connection
	}
	start := time.Now()
	if n := rows(t, connect(t, s)); n != 1000 || s.Pid() != before {
		t.Errorf("%d rows; the server has pid %d, it had %d", n, s.Pid(), before)
	}
	if d := time.Since(start); d > loginTimeout/2 {
		t.Errorf("a login took %s", d)
	}
}

// The grants are for one database, so a process that wants another is told at once, and not by a refusal of the engine.
func TestAnotherDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	_, err := Open(t.Context(), Options{Dir: s.files.dir, Database: "elsewhere"})
	wantError(t, err, "for the database shop", "clickhouse.database is elsewhere", "a folder of its own")
}
