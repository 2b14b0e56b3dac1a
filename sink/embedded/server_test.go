//go:build linux || darwin

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServerIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	if !s.Owner() || s.Pid() == 0 {
		t.Fatalf("Owner() = %v, Pid() = %d", s.Owner(), s.Pid())
	}
	conn := connect(t, s)
	fill(t, conn)
	addr, http, pid := s.Addr(), s.HTTPAddr(), s.Pid()

	// A service manager's SIGTERM goes to every process; the child leaves the ending to its owner.
	check(t, syscall.Kill(pid, syscall.SIGTERM))
	check(t, syscall.Kill(pid, syscall.SIGINT))
	if n := rows(t, conn); n != 1000 {
		t.Fatalf("after SIGTERM: %d rows", n)
	}

	check(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, "a new child", func() bool { return s.Pid() != 0 && s.Pid() != pid })
	eventually(t, "all rows through the pool that was open", func() bool { return rows(t, conn) == 1000 })
	if s.Addr() != addr || s.HTTPAddr() != http || !s.Owner() {
		t.Errorf("after the restart: %s %s owner=%v, before: %s %s", s.Addr(), s.HTTPAddr(), s.Owner(), addr, http)
	}
}

func TestServerKeepsToItself(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	conn := connect(t, s)
	var zone string
	check(t, conn.QueryRow(t.Context(), "SELECT serverTimezone()").Scan(&zone))
	if zone != "UTC" {
		t.Errorf("the server's time zone is %s", zone)
	}
	var tables uint64
	check(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = 'default'").Scan(&tables))
	if tables != 0 {
		t.Errorf("the database default shows %d tables", tables)
	}
	_, port, err := net.SplitHostPort(s.Addr())
	check(t, err)
	ifaces, err := net.InterfaceAddrs()
	check(t, err)
	for _, a := range ifaces {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.IP.String(), port), time.Second); err == nil {
			c.Close()
			t.Errorf("the server listens on %s", ip.IP)
		}
	}
}

func TestSecondOpenConnects(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	first := openDir(t, dir)
	fill(t, connect(t, first))
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink(dir, link))
	second := openDir(t, link)
	if second.Owner() || second.Pid() != 0 || second.Addr() != first.Addr() || second.HTTPAddr() != first.HTTPAddr() {
		t.Errorf("second: owner=%v pid=%d %s %s; first: %s %s", second.Owner(), second.Pid(),
			second.Addr(), second.HTTPAddr(), first.Addr(), first.HTTPAddr())
	}
	conn := connect(t, second)
	if n := rows(t, conn); n != 1000 {
		t.Errorf("the second sees %d rows", n)
	}

	check(t, first.Close())
	check(t, first.Close())
	eventually(t, "the second is the owner", second.Owner)
	eventually(t, "all rows through the pool that was open", func() bool { return rows(t, conn) == 1000 })
	if second.Addr() != first.Addr() {
		t.Errorf("the address was %s and is %s", first.Addr(), second.Addr())
	}
}

func TestOneOfManyTakesOver(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	owner, process := startHolder(t, dir)
	if !owner.Owner {
		t.Fatalf("the first process is not the owner: %+v", owner)
	}
	servers := []*Server{openDir(t, dir), openDir(t, dir)}
	conn := connect(t, servers[0])
	fill(t, conn)
	check(t, process.Process.Kill())
	owners := func() (n int) {
		for _, s := range servers {
			if s.Owner() && s.Pid() != 0 {
				n++
			}
		}
		return n
	}
	eventually(t, "a new owner", func() bool { return owners() > 0 })
	eventually(t, "all rows through the pool that was open", func() bool { return rows(t, conn) == 1000 })
	if n := owners(); n != 1 {
		t.Errorf("%d owners", n)
	}
	for _, s := range servers {
		if s.Addr() != owner.Addr {
			t.Errorf("the address was %s and is %s", owner.Addr, s.Addr())
		}
	}
}

func TestChildEndsWithItsOwner(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	h, process := startHolder(t, dir)
	check(t, process.Process.Kill())
	eventually(t, "the server's lock is free", func() bool {
		lock, err := tryLock(filepath.Join(dir, "server.lock"))
		check(t, err)
		if lock == nil {
			return false
		}
		return lock.Close() == nil
	})
	if !free(h.Addr) || !free(h.HTTP) {
		t.Error("somebody still listens")
	}
	// The address file of the dead is no obstacle, and the next server keeps the ports.
	if s := openDir(t, dir); !s.Owner() || s.Addr() != h.Addr {
		t.Errorf("owner=%v addr=%s, before %s", s.Owner(), s.Addr(), h.Addr)
	}
}

func TestAddressOfAnotherFolderIsNotBelieved(t *testing.T) {
	t.Parallel()
	other := openDir(t, newDir(t))
	dir := newDir(t)
	f, err := prepare(dir)
	check(t, err)
	check(t, f.writeAddress(other.at))

	if err := other.at.probe(t.Context(), f.data, other.Login(Owner)); err == nil || !strings.Contains(err.Error(), "serves "+other.files.data) {
		t.Errorf("probe = %v", err)
	}
	lock, err := tryLock(f.ownerLock)
	check(t, err)
	enough := errors.New("waited enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
	defer cancel()
	_, err = f.makePasswords()
	check(t, err)
	if _, err := Open(ctx, Options{Dir: dir}); !errors.Is(err, enough) {
		t.Errorf("while the owner starts: %v", err)
	}
	check(t, lock.Close())

	if s := openDir(t, dir); !s.Owner() || s.Addr() == other.Addr() {
		t.Errorf("owner=%v addr=%s, the other's %s", s.Owner(), s.Addr(), other.Addr())
	}
}

func TestCloseIsQuickWithOpenPools(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	fill(t, connect(t, s))
	start := time.Now()
	check(t, s.Close())
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("Close took %s while a native connection was idle", d)
	}
	if s.Owner() || s.Pid() != 0 {
		t.Errorf("after Close: owner=%v pid=%d", s.Owner(), s.Pid())
	}
}

func TestConfigFile(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.xml")
	check(t, os.WriteFile(bad, []byte("<clickhouse><macros>"), 0o600))
	_, err := Open(t.Context(), Options{Dir: newDir(t), ConfigFile: bad})
	wantError(t, err, "did not start", "bad.xml")

	config := filepath.Join(t.TempDir(), "cluster.xml")
	check(t, os.WriteFile(config, []byte("<clickhouse><macros><shard>07</shard></macros></clickhouse>"), 0o600))
	s, err := Open(t.Context(), Options{Dir: newDir(t), ConfigFile: config})
	check(t, err)
	defer s.Close()
	var shard string
	check(t, connect(t, s).QueryRow(t.Context(), "SELECT getMacro('shard')").Scan(&shard))
	if shard != "07" {
		t.Errorf("shard = %q", shard)
	}
	resp, err := http.Get("http://" + s.HTTPAddr() + "/ping")
	check(t, err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	taken, err := net.Listen("tcp", loopback+":0")
	check(t, err)
	t.Cleanup(func() { taken.Close() }) // the parallel subtests end later than this function
	port := taken.Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		opts Options
		want []string
	}{
		"no folder":      {Options{}, []string{"set clickhouse.embedded"}},
		"no parent":      {Options{Dir: filepath.Join(t.TempDir(), "no", "data")}, []string{"parent does not exist", "clickhouse.embedded"}},
		"parent a file":  {Options{Dir: filepath.Join(file, "data")}, []string{"can not be made", "clickhouse.embedded"}},
		"folder a file":  {Options{Dir: file}, []string{"can not be read", "clickhouse.embedded"}},
		"no config file": {Options{Dir: newDir(t), ConfigFile: file + ".xml"}, []string{"configuration can not be read"}},
		"port taken":     {Options{Dir: newDir(t), NativePort: port}, []string{"the port is taken", fmt.Sprint(port), "choose other ports"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), c.opts)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// What is in a folder and was not made here stays as it is, whatever its name (I13).
func TestFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data/orders.csv", "config/app.yaml", "empty/note", "passwords.json", "address.json", "server.lock"} {
		dir := newDir(t)
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte("mine"), 0o600))
		for range 2 {
			_, err := Look(dir)
			wantError(t, err, strings.Split(name, "/")[0], "not made by ordersync", "clickhouse.embedded")
			_, err = Open(t.Context(), Options{Dir: dir})
			wantError(t, err, strings.Split(name, "/")[0], "not made by ordersync", "clickhouse.embedded")
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
			t.Errorf("%s is now %q, %v", name, b, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("beside %s there are %v, %v", name, entries, err)
		}
	}
	dir := newDir(t)
	check(t, os.Mkdir(dir, 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "README"), []byte("mine"), 0o600))
	for _, want := range []bool{false, true} {
		if there, err := Look(dir); err != nil || there != want {
			t.Errorf("a warehouse is there: %v, %v", there, err)
		}
		check(t, openDir(t, dir).Close())
	}
	if b, err := os.ReadFile(filepath.Join(dir, "README")); err != nil || string(b) != "mine" {
		t.Errorf("README is now %q, %v", b, err)
	}
}

func TestAddressFile(t *testing.T) {
	t.Parallel()
	f, err := prepare(newDir(t))
	check(t, err)
	for name, content := range map[string]string{
		"empty": "", "cut off": `{"native":"127.0.0.1:90`, "not ours": `{"native":"example.com:9000","http":"example.com:8123"}`,
		"no http": `{"native":"127.0.0.1:9000"}`,
	} {
		check(t, os.WriteFile(f.address, []byte(content), 0o600))
		if at, err := f.readAddress(); err == nil {
			t.Errorf("%s: read as %+v", name, at)
		}
	}
	want := address{Native: "127.0.0.1:19000", HTTP: "127.0.0.1:18123"}
	check(t, f.writeAddress(want))
	if at, err := f.readAddress(); err != nil || at != want {
		t.Errorf("read back %+v, %v", at, err)
	}
}

// A client that resets its connection where the engine waits for its next packet would end the engine's process.
func TestResetConnectionsDoNotEndTheServer(t *testing.T) {
	t.Parallel()
	s := openDir(t, newDir(t))
	fill(t, connect(t, s))
	before := s.Pid()
	for i := range 200 {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 1:
			_, _ = conn.Write([]byte{0}) // the beginning of a handshake
		case 2:
			_, _ = conn.Write([]byte("\x00\x01x\x18\x00\xb2\xa9\x03\x00\x07default\x00")) // a whole one; its answer is not read
		}
		_ = conn.(*net.TCPConn).SetLinger(0) // Close resets
		conn.Close()
	}
	if n := rows(t, connect(t, s)); n != 1000 || s.Pid() != before {
		t.Errorf("%d rows; the server has pid %d, it had %d", n, s.Pid(), before)
	}
}
