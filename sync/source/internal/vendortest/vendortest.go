// Package vendortest is what the tests of the vendors' clients share.
package vendortest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// Hijack takes over the connection of a request.
func Hijack(w http.ResponseWriter) (*net.TCPConn, *bufio.ReadWriter) {
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	return conn.(*net.TCPConn), rw
}

// HangUp closes the connection instead of an answer.
func HangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _ := Hijack(w)
	_ = conn.Close()
}

// Reset resets the connection instead of an answer.
func Reset(w http.ResponseWriter, _ *http.Request) {
	conn, _ := Hijack(w)
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// Hang answers nothing until the client gives up.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Failure is an answer by which a call fails, and the error: its Reason, its HTTP status and a part of its text.
type Failure struct {
	Answer http.HandlerFunc
	Reason source.Reason
	Status int
	Text   string
}

// Fails makes a Failure.
func Fails(answer http.HandlerFunc, reason source.Reason, status int, text string) Failure {
	return Failure{answer, reason, status, text}
}

// Failures checks the errors of calls that are answered so, by name. None may show a secret. What is throttled is to say that it
// waits for 7 seconds, and what times out does so in 300 milliseconds.
func Failures(t *testing.T, vendor string, all map[string]Failure, secrets []string, call func(context.Context, *testing.T, source.Options) error) {
	t.Helper()
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := source.Options{Account: "main", Endpoint: Serve(t, f.Answer)}
			if f.Reason == source.Timeout {
				o.Timeout = 300 * time.Millisecond
			}
			err := call(t.Context(), t, o)
			e := Failed(t, vendor, err)
			if e.Reason != f.Reason || e.HTTPStatus != f.Status || !strings.Contains(e.Error(), f.Text) || (e.RetryAfter == 7*time.Second) != (f.Reason == source.Throttled) {
				t.Errorf("%+v", e)
			}
			text := fmt.Sprintf("%v %+v", err, *e)
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("shows %s: %s", secret, text)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := call(ctx, t, source.Options{Account: "main", Endpoint: "http://127.0.0.1:1"}); Failed(t, vendor, err).Reason != source.Cancelled {
		t.Error(err)
	}
}

// Unprinted checks that no print of some values shows a secret.
func Unprinted(t *testing.T, values []any, secrets ...string) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range values {
			s := fmt.Sprintf(verb, v)
			for _, secret := range secrets {
				if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of %T: %s", verb, v, s)
				}
			}
		}
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

// NoReplay checks that no call is sent twice, and with it its nonce, where the server closes a kept connection under it.
// connect makes a client, and returns what makes a call of it and what closes it.
func NoReplay(t *testing.T, answer string, nonce func(*http.Request) string, connect func(endpoint string) (call func() error, done func())) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu     sync.Mutex
		nonces []string
		wg     sync.WaitGroup
	)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // one good answer on a connection, then the end of it after the next request was read
				defer conn.Close()
				r := bufio.NewReader(conn)
				for n := range 2 {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					mu.Lock()
					nonces = append(nonces, nonce(req))
					mu.Unlock()
					if n == 0 {
						_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
					}
				}
			})
		}
	})
	call, done := connect("http://" + l.Addr().String())
	lost := 0
	for range 20 {
		if call() != nil {
			lost++
		}
	}
	_ = l.Close()
	done()
	wg.Wait()
	seen := map[string]bool{}
	for _, n := range nonces {
		if len(n) != 32 || seen[n] {
			t.Errorf("nonce %q was sent twice", n)
		}
		seen[n] = true
	}
	if lost != 10 || len(nonces) != 20 {
		t.Errorf("%d of 20 calls lost, %d requests arrived", lost, len(nonces))
	}
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
