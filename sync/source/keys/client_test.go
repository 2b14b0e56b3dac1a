package keys_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

const (
	testKey    = "LTAItestkeyid0001"
	testSecret = "testsecret-0123456789"
)

// client makes a client that signs with the keys of a ring.
func client(t *testing.T, endpoint string, ring keys.Ring) *wire.Client {
	t.Helper()
	c, err := wire.New(wire.Options{
		Options: source.Options{Account: "main", Endpoint: endpoint}, Vendor: "test", Keys: ring.Keyring, Codes: wire.GatewayCodes, Permission: wire.HintPermission,
		Sign: wire.V1{Method: http.MethodGet, Format: "json", Version: "2020-01-01", SignatureVersion: "1.0"}.Request,
		Parse: func(body string) (wire.Envelope, error) {
			code := gjson.Get(body, "Code").String()
			return wire.Envelope{Code: code, Failed: code != "", Data: gjson.Parse(body)}, wire.Object(body)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestWaitingForKeysEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(t, "http://127.0.0.1:1", keys.NewRing(func(int) (*credentials.CredentialModel, error) {
			time.Sleep(time.Hour)
			return keys.Model("key"), nil
		}))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Send(ctx, "Test", nil)
		if e := vendortest.Failed(t, "test", err); e.Reason != source.Timeout || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		_, err = c.Send(t.Context(), "Test", nil)
		if e := vendortest.Failed(t, "test", err); e.Reason != source.Timeout || time.Since(start) != 31*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		time.Sleep(time.Hour)
	})
}

func TestKeylessErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]source.Reason{
		`refresh Ecs sts token err: Get "http://100.100.100.200/latest": dial tcp: i/o timeout`:                                 source.Unavailable,
		`Post "https://sts.aliyuncs.com/?AccessKeyId=` + testKey + `&Signature=abc%3D": context deadline exceeded`:              source.Unavailable,
		`refresh session token failed: {"Code":"Throttling.User"}`:                                                              source.Unavailable,
		`refresh session token failed: {"Code":"NoPermission","Message":"You are not authorized"}`:                              source.Auth,
		`refresh credentials from u failed: {"AccessKeyId":"` + testKey + `","AccessKeySecret":"` + testSecret + `"}`:           source.Auth,
		`get role name failed: GET http://100.100.100.200/latest/meta-data/ram/security-credentials/ 404`:                       source.Auth,
		"open /var/run/token: no such file or directory":                                                                        source.Auth,
		"the provider of credentials got an answer that it cannot read: runtime error: invalid memory address or nil pointer x": source.Auth,
	} {
		c := client(t, "http://127.0.0.1:1", keys.NewRing(func(int) (*credentials.CredentialModel, error) {
			if strings.Contains(text, "nil pointer") {
				panic("nil pointer")
			}
			return nil, errors.New(text)
		}))
		_, err := c.Send(t.Context(), "Test", nil)
		e := vendortest.Failed(t, "test", err)
		if e.Reason != want || e.Hint == "" || e.HTTPStatus != 0 {
			t.Errorf("%s: %v", text, err)
		}
		if s := err.Error(); strings.Contains(s, testKey) || strings.Contains(s, testSecret) || strings.Contains(s, "abc%3D") {
			t.Errorf("shows a secret: %s", s)
		}
	}
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"Code":"InvalidSecurityToken.Expired","Message":"expired"}`))
	}))
	t.Cleanup(s.Close)
	ring := keys.NewRing(func(n int) (*credentials.CredentialModel, error) { return keys.Model(fmt.Sprint("key", n)), nil })
	c := client(t, s.URL, ring)
	for n, fresh := range []bool{true, false, false} {
		_, err := c.Send(t.Context(), "Test", nil)
		if e := vendortest.Failed(t, "test", err); e.Fresh != fresh || e.Reason != source.Auth {
			t.Errorf("call %d: %v, fresh %v", n, err, e.Fresh)
		}
	}
	if asked, built := ring.Counts(); asked != 2 || built != 2 {
		t.Errorf("asked %d times, built %d", asked, built)
	}
}
