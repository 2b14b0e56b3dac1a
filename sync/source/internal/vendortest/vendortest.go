// Package vendortest is what the tests of the vendors' clients share.
package vendortest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Serve starts a server, which ends with the test, and returns its URL.
func Serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// Say answers every request the same. Header are names and values in turn.
func Say(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// Failed returns the error of a call as a source.Error, which must name the vendor, the action and the account main.
func Failed(t testing.TB, vendor string, err error) *source.Error {
	t.Helper()
	var e *source.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a source.Error: %v", err)
	}
	if e.Vendor != vendor || e.API == "" || e.Account != "main" {
		t.Errorf("%+v", e)
	}
	return e
}

// Fixture returns a file of the package's testdata.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Money parses an amount.
func Money(s string) schema.Money { return decimal.NewNullDecimal(decimal.RequireFromString(s)) }

// UTC parses a time of RFC 3339.
func UTC(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}
