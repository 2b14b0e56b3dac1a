package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// written is the configuration that init wrote, and its mode.
func (w *world) written(name string) (text string, cfg *config.Config, mode os.FileMode) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg, err = config.Load(config.Sources{File: path, Environ: []string{"TEST_SECRET=" + secret, "ALIBABA_CLOUD_ACCESS_KEY_ID=i", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=s",
		"UNICLOUD_ACCESS_KEY_ID=i", "UNICLOUD_ACCESS_KEY_SECRET=s", "CLICKHOUSE_PASSWORD=p"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return readFile(w.t, path), cfg, info.Mode().Perm()
}

// In a pipe the flags say everything, what is missing is an error, and nothing is written over.
func TestInitInAPipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.addr, w.database = warehousetest.Database(t)
	there := func() []string {
		entries, err := os.ReadDir(w.dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{"there is nobody to ask: give --source and --site"}},
		{"--source bss", []string{"there is nobody to ask: give --site"}},
		{"--source bbs --site china", []string{"accounts[0].source", `did you mean "bss"?`}},
		{"--source bss --site china --account a/b --addr nowhere", []string{"accounts[0].name", "clickhouse.addr[0]: is not an address"}},
		{"--source unicloud --site china", []string{"accounts[0].site: has no effect for source unicloud"}},
		{"--source unicloud --default-chain", []string{"source unicloud takes an access key only"}},
		{"--source bss --site china --endpoint ftp://x", []string{"accounts[0].endpoint"}},
		{"--source bss --site china --password x", []string{"--password belongs to --addr"}},
		{"--source bss --site china --embedded x --addr h:1", []string{"embedded addr", "none of the others can be"}},
		{"-c -", []string{"a configuration is written into a file: name it with -c"}},
	} {
		contains(t, w.run(2, append([]string{"init"}, strings.Fields(c.args)...)...).err, append(c.want, "Run 'ordersync init --help' for usage.")...)
	}
	if names := there(); len(names) > 0 {
		t.Fatalf("%v were written", names)
	}

	// The variables are not set here, which is what check says.
	r := w.run(2, "init", "--source", "bss", "--site", "international")
	contains(t, r.out, "ordersync.yaml is written", "FAILED configuration", "ALIBABA_CLOUD_ACCESS_KEY_ID is not set", "1 of 1 check FAILED: configuration")
	text, cfg, mode := w.written("ordersync.yaml")
	if a := cfg.Accounts[0]; a.Name != "main" || a.Site != config.SiteInternational || cfg.ClickHouse.Embedded != "./ordersync-data" || mode != 0o644 {
		t.Errorf("%v: %+v", mode, cfg)
	}
	contains(t, text, "access_key_secret: ${ALIBABA_CLOUD_ACCESS_KEY_SECRET}\n", "#reporting: {timezone: UTC}")
	// What it shows commented out is the default.
	w.write("all.yaml", regexp.MustCompile(`(?m)^( *)#(\w)`).ReplaceAllString(text, "$1$2"))
	_, all, _ := w.written("all.yaml")
	all.File = cfg.File
	if diff := cmp.Diff(cfg, all); diff != "" {
		t.Error(diff)
	}

	contains(t, w.run(2, "init", "--source", "domain").err, "ordersync.yaml is there already: --force writes over it, -c names another file")
	w.run(2, "init", "-c", "uni.yaml", "--source", "unicloud", "--account", "null")
	if _, cfg, _ := w.written("uni.yaml"); cfg.Accounts[0].Name != "null" || cfg.Accounts[0].Credentials.AccessKeyID != "i" || cfg.Accounts[0].Site != "" {
		t.Errorf("%+v", cfg.Accounts[0])
	}
	contains(t, w.run(1, "init", "-c", "none/x.yaml", "--source", "domain").err, "the configuration is not written", "no such file")

	// A file that holds a secret is its owner's, also where there was another.
	init := []string{"init", "--force", "--source", "bss", "--site", "china", "--endpoint", w.url, "--access-key-id", "testid", "--access-key-secret", "${TEST_SECRET}", "--addr", w.addr, "--password"}
	w.run(3, append(init, `with $$ and "quotes": #`)...)
	_, cfg, mode = w.written("ordersync.yaml")
	if cfg.ClickHouse.Password.Reveal() != `with $ and "quotes": #` || mode != 0o600 {
		t.Errorf("%v: %q", mode, cfg.ClickHouse.Password.Reveal())
	}
	contains(t, w.run(0, append(init, "")...).out, "ok     order detail of main", "all is in place: 6 checks")
	if names := there(); len(names) != 3 {
		t.Errorf("left behind: %v", names)
	}
}

// On a terminal it asks for what no flag says, asks again where an answer can not be, and shows no secret.
func TestInitOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.addr, w.database = warehousetest.Database(t)
	p := w.terminal("init", "--endpoint", w.url, "-c", "new.yaml")
	p.shows("bss, unicloud or domain [bss]: ")
	p.types("bbs"+enter, `did you mean "bss"?`)
	p.shows("[bss]: ")
	p.types(enter, "china or international [china]: ")
	p.types(enter, "What to call the account, for ever [main]: ")
	p.types("shop"+enter, "- is the vendor's default chain [${ALIBABA_CLOUD_ACCESS_KEY_ID}]: ")
	p.types("testid"+enter, "[${ALIBABA_CLOUD_ACCESS_KEY_SECRET}]: ")
	p.types(secret+enter, "[-]: ")
	p.types("nowhere"+enter, "is not an address")
	p.shows("[-]: ")
	p.types(w.addr+enter, "The user of the server [default]: ")
	p.types(enter, "[${CLICKHOUSE_PASSWORD}]: ")
	p.types("a$$b"+enter, "new.yaml is written")
	p.exit()
	if strings.Contains(p.out.String(), secret) {
		t.Error("the secret is shown")
	}
	_, cfg, mode := w.written("new.yaml")
	if a := cfg.Accounts[0]; a.Name != "shop" || a.Credentials.AccessKeySecret.Reveal() != secret || cfg.ClickHouse.Addr[0] != w.addr ||
		cfg.ClickHouse.Password.Reveal() != "a$$b" || mode != 0o600 {
		t.Errorf("%v: %+v", mode, cfg)
	}

	// What flags say is not asked, and - is the default chain, which has no secret. Ctrl-C ends it, and nothing is written.
	p = w.terminal("init", "--source", "bss", "--site", "china", "--account", "main")
	p.shows("[${ALIBABA_CLOUD_ACCESS_KEY_ID}]: ")
	p.types("-"+enter, "[-]: ")
	p.types(enter, "The folder of its data [./ordersync-data]: ")
	p.types(interrupt, "stopped by a signal")
	if code := p.exit(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	p = w.terminal("init", "--source", "domain")
	p.shows("[main]: ")
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	p = w.terminal("init", "--source", "domain", "--account", "d", "--access-key-id", "x")
	p.shows("[${ALIBABA_CLOUD_ACCESS_KEY_SECRET}]: ")
	p.types(secret+interrupt, "there was no answer, so nothing is written")
	if p.exit(); strings.Contains(p.out.String(), secret) {
		t.Error("the secret is shown")
	}
	p = w.terminal("init", "--source", "domain", "--account", "d")
	p.shows("[${ALIBABA_CLOUD_ACCESS_KEY_ID}]: ")
	p.types(endOfFile, "there was no answer, so nothing is written")
	p.exit()
	if _, err := os.Stat(filepath.Join(w.dir, "ordersync.yaml")); err == nil {
		t.Error("something was written")
	}
}
