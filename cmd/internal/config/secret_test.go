package config

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// secretConfig has a secret in every field that can hold one.
func secretConfig(t *testing.T) *Config {
	t.Helper()
	cfg := Default()
	cfg.ClickHouse.Password = theSecret
	a := NewAccount("a", SourceBSS)
	v := reflect.ValueOf(&a.Credentials).Elem()
	count := 0
	for _, value := range v.Fields() {
		if value.Type() == reflect.TypeFor[Secret]() {
			value.SetString(theSecret)
			count++
		}
	}
	if count < 4 {
		t.Fatalf("only %d fields of the credentials are secrets", count)
	}
	cfg.Accounts = []Account{a}
	return cfg
}

// mustHide fails when output holds the secret in any form that a printer makes.
func mustHide(t *testing.T, how, output string) {
	t.Helper()
	plain := strings.ToLower(output)
	inHex := hex.EncodeToString([]byte(theSecret))
	numbers := strings.Trim(fmt.Sprint([]byte(theSecret)), "[]")
	for _, leak := range []string{theSecret, inHex, numbers} {
		if strings.Contains(plain, leak) {
			t.Errorf("%s shows the secret: %s", how, output)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := secretConfig(t)
	for _, value := range []any{cfg, *cfg, cfg.Accounts, cfg.Accounts[0], &cfg.Accounts[0].Credentials, cfg.ClickHouse, cfg.ClickHouse.Password, &cfg.ClickHouse.Password} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%b", "%t", "%e", "%o", "%5.3s", "%-20q", "%T", "%z"} {
			mustHide(t, fmt.Sprintf("%T with %s", value, verb), fmt.Sprintf(verb, value))
		}
		mustHide(t, "Println", fmt.Sprintln(value))
		mustHide(t, "an error", fmt.Errorf("wiring: %v", value).Error())

		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("json: %v", err)
		}
		mustHide(t, "json", string(text))
		if text, err = yaml.Marshal(value); err != nil {
			t.Errorf("yaml: %v", err)
		}
		mustHide(t, "yaml", string(text))
		if text, err = xml.Marshal(value); err != nil {
			t.Errorf("xml: %v", err)
		}
		mustHide(t, "xml", string(text))

		var out bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).With("with", value).Info("x", "value", value, slog.Group("g", "value", value))
		}
		mustHide(t, "slog", out.String())
	}
	if got := fmt.Sprintf("%+v", cfg.ClickHouse); !strings.Contains(got, "Password:[redacted]") {
		t.Errorf("the password is not marked: %s", got)
	}
	if got := cfg.ClickHouse.Password.Reveal(); got != theSecret {
		t.Errorf("Reveal gives %q", got)
	}
}

// TestSecretsAreNotInErrors puts a literal secret, and a variable that holds it,
// where they make an error of each kind.
func TestSecretsAreNotInErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		// Secret fields with wrong values.
		"clickhouse: {password: %s, addr: []}",
		"clickhouse: {password: [%s]}",
		"clickhouse: {password: {%s}}",
		"clickhouse: {password: {%s: 1}}",
		"clickhouse:\n  password: |\n    %s\n",
		"clickhouse:\n  password: a${UNSET}%s\n",
		"clickhouse:\n  password: ${%s\n",
		"clickhouse:\n  password: x\n  password: %s\n",
		"accounts:\n  - {name: a, source: unicloud, credentials: {security_token: %s}}",
		"accounts:\n  - {name: a, source: bss, credentials: {access_key_secret: %s, ecs_role_name: %s}}",
		"accounts:\n  - {name: a, source: bss, credentials: {type: x, access_key_secret: %s}}",
		"accounts:\n  - {name: a, source: bss, credentials: {access_key_id: %s}}",
		"accounts:\n  - {name: a, source: bss, credentials: {role_arn: %s, policy: %s, role_session_name: ' %s', oidc_provider_arn: %s}}",
		"accounts:\n  - {name: a, source: bss, credentials: {credentials_uri: '%s'}}",
		"accounts:\n  - {name: a, source: bss, credentials: {credentials_uri: 'http://%s:%%zz'}}",
		"accounts:\n  - {name: a, source: bss, credentials: %s}",
		"accounts:\n  - {name: a, source: bss, credentials: [%s]}",
		"accounts:\n  - {name: a, source: bss, endpoint: 'https://u:%s@host'}",
		"clickhouse: {addr: ['u:%s@host:9000']}",
		"clickhouse: {addr: ['clickhouse://u:%s@host:9000/db']}",
		"clickhouse: {addr: ['tcp://host:9000?username=u&password=%s']}",
		"clickhouse: {addr: ['host:9000?password=%s']}",
		"clickhouse: {addr: ['host:9000/%s']}",
		"clickhouse: {addr: 'http://u:%s@host:8123'}",
		"clickhouse: {username: 'u:%s@host'}",
		// A secret that lost its key, its colon or its quotes.
		"clickhouse: {password, %s}",
		"clickhouse: {password, %s, %s}",
		"clickhouse:\n  %s:\n",
		"accounts:\n  - name: a\n    source: bss\n    credentials:\n      access_key_secret:\n        %s: x\n",
		"accounts:\n  - name: a\n    %s:\n",
		"accounts:\n  - %s\n",
		"%s",
		"%s: x",
		"- %s",
		// Files that are not YAML.
		"clickhouse:\n  password: \"%s\n",
		"clickhouse:\n  password: '%s\n",
		"clickhouse:\n  password: |%s\n    x\n",
		"clickhouse:\n  password: @%s\n",
		"clickhouse:\n  password: `%s`\n",
		"clickhouse:\n  password: %%%s\n",
		"clickhouse:\n  password: x: %s\n",
		"clickhouse:\n  password: \"x\"%s\n",
		"clickhouse:\n  password: \"\\%s\"\n",
		"clickhouse:\n  password: *%s\n",
		"clickhouse:\n  password: &%s\n  password: &%s x\n",
		"clickhouse:\n  password: !%s x\n",
		"clickhouse:\n  password: !<%s x\n",
		"%%YAML %s\n---\nlog: {}\n",
		"%%TAG %s\n---\nlog: {}\n",
		"clickhouse:\n password: x\n  %s\n",
		"clickhouse:\n\tpassword: %s\n",
		"log: {}\n---\n%s: x\n",
	} {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "%s", theSecret), "%%", "%")
		_, err := Parse("f.yaml", []byte(text), testEnv)
		if err == nil && !strings.Contains(text, "password: ") {
			t.Errorf("no error: %s", text)
		}
		if err != nil {
			mustHide(t, text, err.Error())
			mustHide(t, text, fmt.Sprintf("%+v %#v", err, err))
		}
	}
}

// TestVariablesAreNotInErrors returns every field of the configuration the value
// of a variable that holds a secret, one field at a time.
func TestVariablesAreNotInErrors(t *testing.T) {
	t.Parallel()
	var paths [][]string
	var visit func(rt reflect.Type, path []string)
	visit = func(rt reflect.Type, path []string) {
		for f := range rt.Fields() {
			key := f.Tag.Get("yaml")
			if key == "-" {
				continue
			}
			at := append(path[:len(path):len(path)], key)
			switch {
			case f.Type.Kind() == reflect.Struct:
				visit(f.Type, at)
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				visit(f.Type.Elem(), append(at, "-"))
			case f.Type.Kind() == reflect.Slice:
				paths = append(paths, append(at, "-"))
			default:
				paths = append(paths, at)
			}
		}
	}
	visit(reflect.TypeFor[Config](), nil)
	failures := 0
	for _, path := range paths {
		text := `"${SECRET}"`
		for i := len(path) - 1; i >= 0; i-- {
			switch {
			case path[i] == "-":
				text = "[" + text + "]"
			default:
				text = "{" + path[i] + ": " + text + "}"
			}
		}
		_, err := Parse("f.yaml", []byte(text), testEnv)
		var failure *Error
		if errors.As(err, &failure) {
			failures++
			mustHide(t, strings.Join(path, "."), err.Error())
		}
	}
	if failures < 20 {
		t.Errorf("only %d of %d fields made an error", failures, len(paths))
	}
}
