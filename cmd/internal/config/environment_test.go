package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exampleSettings returns what the example says when nothing in it is commented out, as variables of the environment.
func exampleSettings(t *testing.T) []string {
	t.Helper()
	root, problem := parseTree([]byte(commented.ReplaceAllString(readExample(t), "$1$2")))
	if problem != nil {
		t.Fatal(problem)
	}
	cfg := Default()
	d := newDecoder(exampleEnv, root)
	d.value(root, reflect.ValueOf(cfg).Elem(), "")
	var environ []string
	for _, path := range settable {
		for n := range cfg.Accounts {
			path := strings.Replace(path, "#", strconv.Itoa(n), 1)
			if f, given := d.fields[path]; given {
				texts := []string{f.raw}
				if n := at(reflect.ValueOf(cfg).Elem(), path); n.Kind() == reflect.Slice {
					texts = nil
					for i := range n.Len() {
						texts = append(texts, d.fields[fmt.Sprintf("%s[%d]", path, i)].raw)
					}
				}
				for i := range texts {
					texts[i], _ = expand(texts[i], exampleEnv)
				}
				if e := variableOf(path) + "=" + strings.Join(texts, ","); !slices.Contains(environ, e) {
					environ = append(environ, e)
				}
			}
		}
	}
	return environ
}

// Whatever the example shows can be said by variables alone, and means the same; each in a file of its own, too.
func TestEnvironmentSaysWhatTheExampleSays(t *testing.T) {
	environ := exampleSettings(t)
	want, err := Parse("the environment", []byte(commented.ReplaceAllString(readExample(t), "$1$2")), exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	set := map[string]bool{}
	var files []string
	for i, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		set[variableIndex.ReplaceAllString(name, "_#_")] = true
		file := strconv.Itoa(i)
		if err := os.WriteFile(file, []byte(value+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name+fileSuffix+"="+file)
	}
	for name := range settable {
		if !set[name] {
			t.Errorf("%s is not tried", name)
		}
	}
	for _, environ := range [][]string{environ, files} {
		got, err := Load(Sources{Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Variables) != len(environ) {
			t.Errorf("%d of %d variables were taken", len(got.Variables), len(environ))
		}
		got.Variables = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Each variable sets one thing, and none is what Kubernetes sets.
func TestVariablesAreUnambiguous(t *testing.T) {
	t.Parallel()
	n := 0
	eachSetting(reflect.TypeFor[Config](), "", func(path string, leaf bool) {
		if leaf {
			n++
		}
	})
	if len(settable) != n {
		t.Errorf("%d settings have %d variables", n, len(settable))
	}
	for _, name := range slices.Sorted(maps.Keys(settable)) {
		if _, other := settable[name+fileSuffix]; other || serviceLinks.MatchString(name) {
			t.Errorf("%s means something else, too", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// In a pod, beside a Service of that name; the file of the image is not there.
	cfg, err := Load(Sources{Environ: []string{
		EnvFile + "=/etc/ordersync/none.yaml", "ORDERSYNC_CHDB=/usr/lib/x.so", "HOME=/", "ordersync_log_level=loud",
		"ORDERSYNC_SERVICE_HOST=10.0.0.1", "ORDERSYNC_SERVICE_PORT=9464", "ORDERSYNC_SERVICE_PORT_HTTP=9464", "ORDERSYNC_PORT=tcp://10.0.0.1:9464",
		"ORDERSYNC_PORT_9464_TCP=tcp://10.0.0.1:9464", "ORDERSYNC_PORT_9464_TCP_ADDR=10.0.0.1", "ORDERSYNC_CLICKHOUSE_SERVICE_HOST=10.0.0.2",
		"ORDERSYNC_CLICKHOUSE_PORT_9000_TCP_PROTO=tcp",
		"ORDERSYNC_ACCOUNTS_0_NAME=main", "ORDERSYNC_ACCOUNTS_0_SOURCE=bss", "ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_ID=id",
		"ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_SECRET=a$${SECRET}", "ORDERSYNC_ACCOUNTS_1_NAME=other", "ORDERSYNC_ACCOUNTS_1_SOURCE=domain",
		"ORDERSYNC_CLICKHOUSE_ADDR=a:9000, b:9000", "ORDERSYNC_SCHEDULE_RECHECK=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.File = "the environment (there is no /etc/ordersync/none.yaml)"
	main := NewAccount("main", SourceBSS)
	main.Credentials = Credentials{AccessKeyID: "id", AccessKeySecret: "a$${SECRET}"}
	want.Accounts = []Account{main, NewAccount("other", SourceDomain)}
	want.ClickHouse.Embedded, want.ClickHouse.Addr = "", []string{"a:9000", "b:9000"}
	want.Schedule.Recheck = want.Schedule.Recheck[:0]
	want.Variables = cfg.Variables
	if diff := cmp.Diff(want, cfg); diff != "" || len(cfg.Variables) != 8 {
		t.Errorf("%v (-want +got):\n%s", cfg.Variables, diff)
	}

	// Over a file: a variable wins, one that the file mentions is the file's, and accounts are added behind its own.
	write(DefaultFile, "accounts: [{name: main, source: bss, page_size: 10}]\nclickhouse: {addr: [\"h:9000\"], password: \"${ORDERSYNC_DB_PASSWORD}\"}\nlog: {level: loud}\n")
	cfg, err = Load(Sources{Environ: []string{"ORDERSYNC_DB_PASSWORD=" + theSecret, "ORDERSYNC_LOG_LEVEL=warn", "ORDERSYNC_ACCOUNTS_0_PAGE_SIZE=30",
		"ORDERSYNC_ACCOUNTS_1_NAME=second", "ORDERSYNC_ACCOUNTS_1_SOURCE=bss"}})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.File != DefaultFile || cfg.Log.Level != "warn" || cfg.ClickHouse.Password != theSecret || len(cfg.Accounts) != 2 ||
		cfg.Accounts[0].PageSize != 30 || cfg.Accounts[1].Name != "second" || cfg.Accounts[1].PageSize != 20 {
		t.Errorf("%+v", cfg)
	}
	if _, err := Load(Sources{File: "missing.yaml", Environ: []string{"ORDERSYNC_LOG_LEVEL=warn"}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that -c names and that is not there: %v", err)
	}
}

// What is wrong is said of the variable, all of it at once, and shows no value (I10).
func TestBadEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("big", make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("secret", []byte(theSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	main := []string{"ORDERSYNC_ACCOUNTS_0_NAME=main", "ORDERSYNC_ACCOUNTS_0_SOURCE=bss"}
	for name, tt := range map[string]struct {
		environ []string
		want    []string
	}{
		"misspelt":        {[]string{"ORDERSYNC_CLICKHOUSE_ADR=" + theSecret}, []string{"$ORDERSYNC_CLICKHOUSE_ADR: sets nothing (did you mean ORDERSYNC_CLICKHOUSE_ADDR?)"}},
		"misspelt deeper": {[]string{"ORDERSYNC_ACCOUNTS_0_CREDENTIAL_ROLE_SESSION_EXPIRATION=1h"}, []string{"did you mean ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ROLE_SESSION_EXPIRATION?"}},
		"misspelt file":   {[]string{"ORDERSYNC_CLICKHOUSE_PASSWRD_FILE=secret"}, []string{"did you mean ORDERSYNC_CLICKHOUSE_PASSWORD_FILE?"}},
		"no number":       {[]string{"ORDERSYNC_ACCOUNTS_NAME=main"}, []string{"$ORDERSYNC_ACCOUNTS_NAME: sets nothing (did you mean ORDERSYNC_ACCOUNTS_0_NAME?)"}},
		"nothing like it": {[]string{"ORDERSYNC_" + theSecret + "X=1", "ORDERSYNC_=1"}, []string{"sets nothing (a setting's variable is its path in capitals"}},
		"a mapping":       {[]string{"ORDERSYNC_CLICKHOUSE=x"}, []string{"$ORDERSYNC_CLICKHOUSE: sets nothing"}},
		"a gap":           {append(main, "ORDERSYNC_ACCOUNTS_2_NAME=x"), []string{"$ORDERSYNC_ACCOUNTS_2_NAME: there is no accounts[1] before it (number them from 0, without a gap)"}},
		"a strange number": {append(main, "ORDERSYNC_ACCOUNTS_00_NAME=x", "ORDERSYNC_ACCOUNTS_99999999999999999999_NAME=x"),
			[]string{"$ORDERSYNC_ACCOUNTS_00_NAME: sets nothing", "$ORDERSYNC_ACCOUNTS_99999999999999999999_NAME: sets nothing"}},
		"missing":   {[]string{"ORDERSYNC_ACCOUNTS_0_SITE=china"}, []string{"$ORDERSYNC_ACCOUNTS_0_NAME: accounts[0].name: is required", "$ORDERSYNC_ACCOUNTS_0_SOURCE: accounts[0].source: is required"}},
		"value":     {[]string{"ORDERSYNC_LOG_LEVEL=" + theSecret}, []string{`$ORDERSYNC_LOG_LEVEL: log.level: "${ORDERSYNC_LOG_LEVEL}" is none of debug, info, warn, error`}},
		"type":      {[]string{"ORDERSYNC_CLICKHOUSE_SECURE=" + theSecret}, []string{"$ORDERSYNC_CLICKHOUSE_SECURE: clickhouse.secure: must be a switch (true or false)"}},
		"empty":     {[]string{"ORDERSYNC_SCHEDULE_WINDOW="}, []string{"$ORDERSYNC_SCHEDULE_WINDOW: schedule.window: must be a duration"}},
		"space":     {[]string{"ORDERSYNC_CLICKHOUSE_USERNAME=x "}, []string{"$ORDERSYNC_CLICKHOUSE_USERNAME: clickhouse.username: begins or ends with white space"}},
		"element":   {[]string{"ORDERSYNC_CLICKHOUSE_ADDR=a:9000,b"}, []string{"$ORDERSYNC_CLICKHOUSE_ADDR: clickhouse.addr[1]: is not an address"}},
		"element 2": {[]string{"ORDERSYNC_CLICKHOUSE_ADDR=a:9000,"}, []string{"$ORDERSYNC_CLICKHOUSE_ADDR: clickhouse.addr[1]: is not an address"}},
		"together":  {[]string{"ORDERSYNC_CLICKHOUSE_EMBEDDED="}, []string{"$ORDERSYNC_CLICKHOUSE_*: clickhouse: neither embedded nor addr is given"}},
		"credentials": {append(main, "ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_ID=", "ORDERSYNC_ACCOUNTS_0_CREDENTIALS_TYPE=access_key"), []string{"$ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_ID: accounts[0].credentials.access_key_id: is empty",
			"$ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_SECRET: accounts[0].credentials.access_key_secret: is required"}},
		"both":                     {[]string{"ORDERSYNC_CLICKHOUSE_PASSWORD=x", "ORDERSYNC_CLICKHOUSE_PASSWORD_FILE=secret"}, []string{"$ORDERSYNC_CLICKHOUSE_PASSWORD_FILE: clickhouse.password: is set as ORDERSYNC_CLICKHOUSE_PASSWORD, too"}},
		"no file":                  {[]string{"ORDERSYNC_CLICKHOUSE_PASSWORD_FILE=none"}, []string{"$ORDERSYNC_CLICKHOUSE_PASSWORD: clickhouse.password: its file cannot be read: open none: no such file"}},
		"folder":                   {[]string{"ORDERSYNC_CLICKHOUSE_PASSWORD_FILE=."}, []string{"its file cannot be read, or is no value"}},
		"big":                      {[]string{"ORDERSYNC_CLICKHOUSE_PASSWORD_FILE=big"}, []string{"its file cannot be read, or is no value"}},
		"secret in the wrong file": {[]string{"ORDERSYNC_LOG_FORMAT_FILE=secret"}, []string{`log.format: "${ORDERSYNC_LOG_FORMAT_FILE}" is none of`}},
	} {
		_, err := Load(Sources{Environ: tt.environ})
		var failure *Error
		if !errors.As(err, &failure) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in:\n%v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), theSecret) && name != "nothing like it" {
			t.Errorf("%s: a secret is shown:\n%v", name, err)
		}
	}
	// What calls no vendor needs no credentials, and their files need not be there.
	cfg, err := Load(Sources{Offline: true, Environ: append(main, "ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_SECRET_FILE="+filepath.Join("no", "where"))})
	if err != nil || cfg.Accounts[0].Credentials != (Credentials{}) {
		t.Errorf("%+v, %v", cfg, err)
	}
}
