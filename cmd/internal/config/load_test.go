package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// theSecret stands for every secret of the tests. No output may contain it.
const theSecret = "s3cr3t-hunter2"

// testEnviron is the environment of the tests.
var testEnviron = []string{
	"SECRET=" + theSecret,
	"EMPTY=",
	"WITH_SPACE=two words",
	"SEVEN=7",
	"ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI-example",
	"ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + theSecret,
	"UNICLOUD_ACCESS_KEY_ID=uni-example",
	"UNICLOUD_ACCESS_KEY_SECRET=" + theSecret,
	"CLICKHOUSE_PASSWORD=" + theSecret,
	"DOLLARS=$${SECRET}",
	"ALIBABA_CLOUD_ACCESS_KEY_ID_OTHER=",
}

var testEnv = lookup(testEnviron)

func parse(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("test.yaml", []byte(text), testEnv)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return cfg
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := Parse("ordersync.yaml", []byte("accounts:\n  - name: main\n    source: bss\n    sitee: china\nlog: {level: loud}\n"), testEnv)
	want := `ordersync.yaml:4: accounts[0].sitee: unknown key (did you mean "site"?)
ordersync.yaml:5: log.level: "loud" is none of debug, info, warn, error (choose one)`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	// A problem without a line or a file leaves them out.
	got := (&Error{File: "f", Problems: []Problem{{Field: "a", Message: "m"}, {Message: "n"}}}).Error()
	if want := "f: a: m\nf: n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&Error{Problems: []Problem{{Field: "a", Message: "m"}}}).Error(); got != "a: m" {
		t.Errorf("got %q", got)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "accounts:\nclickhouse:\nlog: {}\n", "\ufefflog: {level: info}\n"} {
		want := Default()
		want.File = "test.yaml"
		if diff := cmp.Diff(want, parse(t, text)); diff != "" {
			t.Errorf("%q is not the default (-want +got):\n%s", text, diff)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	for _, source := range []string{SourceBSS, SourceDomain, SourceUniCloud} {
		text := "accounts:\n  - {source: " + source + ", name: a, credentials: {access_key_id: i, access_key_secret: s}}\n"
		want := NewAccount("a", source)
		want.Credentials = Credentials{AccessKeyID: "i", AccessKeySecret: "s"}
		if diff := cmp.Diff([]Account{want}, parse(t, text).Accounts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	got := parse(t, `
accounts:
  - name: main
    source: bss
    site: international
    endpoint: "http://127.0.0.1:8080"
    api_version: "2023-09-30"
    credentials: &key
      access_key_id: ${ALIBABA_CLOUD_ACCESS_KEY_ID}
      access_key_secret: "${SECRET}"
    member_uids: [1234567890123456, "9223372036854775807", "${SEVEN}"]
    quota: {list: "${SEVEN}.5", detail: "${X:-3}"}
    page_size: ${SEVEN}0
  - name: uni
    source: unicloud
    signature_version: 2.0
    timezone: Asia/Tokyo
    credentials: *key
  - &importer
    name: importer
    source: domain
  - <<: *importer
    name: copy
    timezone: UTC
    quota:
      list: 1
clickhouse:
  addr: ["db-1.example.com:9440", "[2001:db8::1]:9440"]
  database: ${X:-orders}
  username: sync
  password: a$b$$c${SECRET}${DOLLARS}
  secure: ${X:-true}
  cluster: main
schedule:
  cron: CRON_TZ=Asia/Shanghai */10 8-20 * * *
  window: 30m
  settle: 0s
  lookback: 1d12h
  sweep: 30d
  recheck: [30s, 2h]
  quiet: 1h
reporting:
  timezone: Asia/Shanghai
http: {listen: ":0"}
log:
  level: debug
  format: json
`)
	importer := NewAccount("importer", SourceDomain)
	duplicate := NewAccount("copy", SourceDomain)
	duplicate.Timezone, duplicate.Quota.List = "UTC", 1
	key := Credentials{AccessKeyID: "LTAI-example", AccessKeySecret: theSecret}
	want := &Config{
		File: "test.yaml",
		Accounts: []Account{
			{
				Name: "main", Source: SourceBSS, Site: SiteInternational, Endpoint: "http://127.0.0.1:8080",
				APIVersion: APIVersion2023, Credentials: key, MemberUIDs: []string{"1234567890123456", "9223372036854775807", "7"},
				Quota: Quota{List: 7.5, Detail: 3}, PageSize: 70,
			},
			{
				Name: "uni", Source: SourceUniCloud, SignatureVersion: "2.0", Timezone: "Asia/Tokyo",
				Credentials: key, Quota: Quota{List: 10, Detail: 10}, PageSize: 20,
			},
			importer,
			duplicate,
		},
		ClickHouse: ClickHouse{
			Addr: []string{"db-1.example.com:9440", "[2001:db8::1]:9440"}, Database: "orders", Username: "sync",
			Password: "a$b$c" + theSecret + "$${SECRET}", Secure: true, Cluster: "main",
		},
		Schedule: Schedule{
			Cron: "CRON_TZ=Asia/Shanghai */10 8-20 * * *", Window: 30 * time.Minute, Lookback: 36 * time.Hour, Sweep: 30 * 24 * time.Hour,
			Recheck: []time.Duration{30 * time.Second, 2 * time.Hour}, Scrub: 30 * day, ScrubDetails: 180 * day, Quiet: time.Hour,
		},
		Reporting: Reporting{Timezone: "Asia/Shanghai"}, HTTP: HTTP{Listen: ":0"}, Notify: Notify{Format: NotifyJSON},
		Log: Log{Level: "debug", Format: FormatJSON},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("what Parse accepts, Validate rejects: %v", err)
	}
}

func TestCredentialsKinds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]CredentialsType{
		"":                                  CredentialsDefault,
		"credentials:":                      CredentialsDefault,
		"credentials: {}":                   CredentialsDefault,
		"credentials: {type: default}":      CredentialsDefault,
		"credentials: {type: ecs_ram_role}": CredentialsECSRole,
		"credentials: {ecs_role_name: r}":   CredentialsECSRole,
		"credentials: {access_key_id: i, access_key_secret: s}":                                                                                     CredentialsAccessKey,
		"credentials: {access_key_id: i, access_key_secret: s, security_token: t}":                                                                  CredentialsSTS,
		"credentials: {access_key_id: i, access_key_secret: s, role_arn: 'acs:ram::1:role/r', external_id: e, policy: '{}'}":                        CredentialsRAMRole,
		"credentials: {access_key_id: i, access_key_secret: s, security_token: t, role_arn: 'acs:ram::1:role/r'}":                                   CredentialsRAMRole,
		"credentials: {role_arn: 'acs:ram::1:role/r', oidc_provider_arn: 'acs:ram::1:oidc-provider/p', oidc_token_file: /t, role_session_name: me}": CredentialsOIDCRole,
		"credentials: {credentials_uri: 'http://127.0.0.1:7002/x?y=z'}":                                                                             CredentialsURI,
	} {
		cfg := parse(t, "accounts:\n  - name: a\n    source: bss\n    "+text+"\n")
		if got := cfg.Accounts[0].Credentials.Kind(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	named := []string{EnvFile + "=named.yaml"}

	_, err := Load(Sources{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ordersync init") {
		t.Errorf("no file: %v", err)
	}
	for _, name := range []string{"ordersync.yaml", "named.yaml", "given.yaml"} {
		if err := os.WriteFile(name, []byte("log: {level: warn}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path    string
		environ []string
		want    string
	}{{"given.yaml", named, "given.yaml"}, {"", named, "named.yaml"}, {"", nil, "ordersync.yaml"}, {"-", named, "standard input"}} {
		cfg, err := Load(Sources{File: tt.path, Environ: tt.environ, Stdin: strings.NewReader("log: {level: warn}\n")})
		if err != nil || cfg.File != tt.want || cfg.Log.Level != "warn" {
			t.Errorf("Load(%q) = %v, %v", tt.path, cfg, err)
		}
	}
	var failure *Error
	if _, err := Load(Sources{File: "missing.yaml"}); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &failure) || !strings.HasPrefix(err.Error(), "missing.yaml: ") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(Sources{File: dir}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
	for _, tt := range []struct {
		in   io.Reader
		want string
	}{
		{bytes.NewReader(make([]byte, maxSize+1)), "standard input: the file is larger than"},
		{strings.NewReader("log: {level: loud}\n"), "standard input:1: log.level"},
		{iotest.ErrReader(errors.New("gone")), "standard input: the configuration cannot be read: gone"},
	} {
		if _, err := Load(Sources{File: "-", Stdin: tt.in}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("standard input: %v, want %s", err, tt.want)
		}
	}
}

// The ids of tens of thousands of owners are read at once, each of them checked.
func TestManyOwners(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("accounts:\n  - name: a\n    source: bss\n    owner_ids:\n")
	const owners = 30_000
	for i := range owners {
		fmt.Fprintf(&text, "      - %d\n", 1_000_000_000_000_000+i)
	}
	began := time.Now()
	cfg := parse(t, text.String())
	t.Log(len(text.String()), "bytes in", time.Since(began))
	if n := len(cfg.Accounts[0].OwnerIDs); n != owners {
		t.Errorf("%d owners", n)
	}
}

// Whoever shortens the lookback need not know of owners.
func TestQuietIsWithinTheLookback(t *testing.T) {
	t.Parallel()
	if got := parse(t, "schedule: {lookback: 2h}").Schedule.Quiet; got != 2*time.Hour {
		t.Errorf("quiet: %s", got)
	}
	if got := parse(t, "schedule: {quiet: 0}").Schedule.Quiet; got != 0 {
		t.Errorf("quiet: %s", got)
	}
}

func TestRequireAccounts(t *testing.T) {
	t.Parallel()
	err := parse(t, "").RequireAccounts()
	if err == nil || err.Error() != "test.yaml: accounts: no account is configured (add one; config.example.yaml shows how, `ordersync init` writes a file with one, and ORDERSYNC_ACCOUNTS_0_NAME begins one in the environment)" {
		t.Errorf("got %v", err)
	}
	if err := parse(t, "accounts: [{name: a, source: bss}]").RequireAccounts(); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestValidateWithoutFile checks that a configuration built by a program is
// judged as one of a file, without lines.
func TestValidateWithoutFile(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Accounts = []Account{NewAccount("a", SourceBSS), NewAccount("a", "bbs")}
	cfg.ClickHouse.Addr = []string{"db:9000"}
	err := cfg.Validate()
	want := `accounts[1].name: "a" is the name of accounts[0] already (names are unique)
accounts[1].source: "bbs" is none of bss, unicloud, domain (did you mean "bss"?)
clickhouse.addr: embedded and addr are both given (remove one: embedded for a folder of this machine, addr for a server)`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestHelpers(t *testing.T) {
	t.Parallel()
	uni, bss := NewAccount("u", SourceUniCloud), NewAccount("b", SourceBSS)
	if got := uni.Location().String(); got != "Asia/Shanghai" {
		t.Errorf("unicloud's location is %s", got)
	}
	if got := bss.Location(); got != time.UTC {
		t.Errorf("bss's location is %s", got)
	}
	for _, level := range []string{"debug", "info", "warn", "error"} {
		if got := strings.ToLower((Log{Level: level}).SlogLevel().String()); got != level {
			t.Errorf("level %s became %s", level, got)
		}
	}
	cfg := Default()
	if !cfg.ClickHouse.IsEmbedded() {
		t.Error("the default warehouse is not embedded")
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"30d": "720h0m0s", "1d12h": "36h0m0s", "90m": "1h30m0s", "0": "0s", "0s": "0s", "-5m": "-5m0s", "65535d": "1572840h0m0s",
		"": "", "d": "", "1": "", "-1d": "", "1d-2h": "", "1d2d": "", "1.5d": "", "65536d": "", "65535d2562047h": "", "1h ": "", "h1d": "",
	} {
		got, ok := ParseDuration(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: got %v %v, want %q", text, got, ok, want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want, problem string }{
		{"plain", "plain", ""},
		{"$", "$", ""},
		{"a$b $c $", "a$b $c $", ""},
		{"$$", "$", ""},
		{"$${SEVEN}", "${SEVEN}", ""},
		{"$$$${SEVEN}", "$${SEVEN}", ""},
		{"$$${SEVEN}", "$7", ""},
		{"x${SEVEN}y${SEVEN}", "x7y7", ""},
		{"${SEVEN:-8}", "7", ""},
		{"${EMPTY}", "", ""},
		{"${EMPTY:-8}", "8", ""},
		{"${UNSET:-}", "", ""},
		{"${UNSET:-a:-b$c}", "a:-b$c", ""},
		{"${DOLLARS}", "$${SECRET}", ""},
		{"${UNSET}", "", "UNSET is not set"},
		{"${A}${B}", "", "A, B are not set"},
		{"${", "", "malformed"},
		{"${}", "", "malformed"},
		{"${1A}", "", "malformed"},
		{"${SEVEN-8}", "", "malformed"},
	} {
		got, problem := expand(tt.text, testEnv)
		if got != tt.want || (problem == "") != (tt.problem == "") || !strings.Contains(problem, tt.problem) {
			t.Errorf("%q: got %q, %q; want %q, %q", tt.text, got, problem, tt.want, tt.problem)
		}
	}
}

// TestAllAtOnce checks that one file's problems of every stage come together and
// in the order of the file.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	text := "accounts:\n  - name: a\n    source: bss\n    sitee: x\n    page_size: 0\n    credentials:\n" +
		"      access_key_id: ${NOPE}\nlog:\n  level: x\nlog: {}\nhttp:\n  listen: []\n"
	_, err := Parse("f", []byte(text), testEnv)
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range failure.Problems {
		got = append(got, fmt.Sprintf("%d %s", p.Line, p.Field))
	}
	want := []string{
		"4 accounts[0].sitee", "5 accounts[0].page_size", "6 accounts[0].credentials.access_key_secret",
		"7 accounts[0].credentials.access_key_id", "9 log.level", "10 log", "12 http.listen",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What makes no call needs no credentials; all else is judged as ever.
func TestLoadOffline(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/ordersync.yaml"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("accounts:\n  - name: main\n    source: bss\n    credentials: {access_key_id: \"${UNSET}\", access_key_secret: \"${SECRET}\", role_arn: \"${EMPTY}\"}\n")
	if _, err := Load(Sources{File: path, Environ: testEnviron}); err == nil || !strings.Contains(err.Error(), "UNSET is not set") {
		t.Errorf("Load: %v", err)
	}
	cfg, err := Load(Sources{File: path, Environ: testEnviron, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Accounts[0].Name != "main" || cfg.Accounts[0].Credentials != (Credentials{}) {
		t.Errorf("%+v", cfg.Accounts[0])
	}
	write("accounts:\n  - name: main\n    source: bss\n    endpoint: ${UNSET}\n    credentials: {access_key: \"${UNSET}\"}\nclickhouse: {addr: [\"h:9000\"], password: \"${UNSET}\"}\n")
	_, err = Load(Sources{File: path, Environ: testEnviron, Offline: true})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{"accounts[0].endpoint: the variable UNSET", "accounts[0].credentials", "clickhouse.password: the variable UNSET"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}
