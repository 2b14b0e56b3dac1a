package wire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source"
)

func args(pairs ...string) []Arg {
	var out []Arg
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, Arg{pairs[i], pairs[i+1]})
	}
	return out
}

// Signatures that the vendor's SDK and an independent implementation agree on.
func TestKnownSignatures(t *testing.T) {
	t.Parallel()
	bss := args("AccessKeyId", "testid", "Action", "QueryOrders", "CreateTimeEnd", "2024-01-02T00:00:00Z", "CreateTimeStart", "2024-01-01T00:00:00Z",
		"Format", "json", "PageNum", "1", "PageSize", "20", "SignatureMethod", "HMAC-SHA1", "SignatureNonce", "nonce-1", "SignatureVersion", "1.0",
		"Timestamp", "2024-01-02T03:04:05Z", "Version", "2017-12-14", "Note", "a b*c~d+e/中")
	unicloud := args("Action", "OrderDetail", "OrderId", "1119146845965123584", "AccessKeyId", "testid", "Format", "json", "SignatureMethod", "HMAC-SHA1",
		"SignatureNonce", "nonce-1", "SignatureVersion", "1.0", "Timestamp", "2024-01-02T03:04:05Z", "Version", "2020-07-30")
	for _, tc := range []struct {
		method, want string
		args         []Arg
	}{
		{"POST", "BeK5cTUv0fnVp4TVgXE344PS+aU=", bss}, {"GET", "4Z/Q0olVtVy7ZyYqnUjv6coEN9I=", bss}, {"GET", "77swYg5t9L1gl0DUGZyqFQDF8F0=", unicloud},
	} {
		if got := SignV1(tc.method, tc.args, "testsecret"); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.method, got, tc.want)
		}
	}
}

// What arrives is signed as it arrived, and a GET has no body and no sign of one.
func TestV1OnTheWire(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, token := range []string{"", "token+/=with signs"} {
			v := V1{Method: method, Format: "json", Version: "2020-07-30", SignatureVersion: "2.0", UserAgent: "test"}
			var got *http.Request
			endpoint := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if len(body) > 0 || len(r.TransferEncoding) > 0 || r.ContentLength != 0 {
					t.Errorf("%s: a body: %q %v %d", method, body, r.TransferEncoding, r.ContentLength)
				}
				got = r
			})
			base, err := url.Parse(endpoint + "/transaction")
			if err != nil {
				t.Fatal(err)
			}
			transport := NewTransport(*base, time.Second, 1, nil)
			resp, err := transport.RoundTrip(v.Request(t.Context(), *base, "OrderDetail", args("OrderId", "1", "Note", "a b*c~d+e/中&x=y"), Key{ID: testKey, Secret: testSecret, Token: token}))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			transport.CloseIdleConnections()
			q := got.URL.Query()
			var signed []Arg
			for k := range q {
				if k != "Signature" {
					signed = append(signed, Arg{k, q.Get(k)})
				}
			}
			if want := SignV1(method, signed, testSecret); q.Get("Signature") != want || got.Method != method || got.URL.Path != "/transaction" {
				t.Errorf("%s %s: the signature does not match what arrived, %s", got.Method, got.URL, want)
			}
			at, err := time.Parse(time.RFC3339, q.Get("Timestamp"))
			if err != nil || time.Since(at).Abs() > time.Minute || len(q.Get("SignatureNonce")) != 32 || q.Get("SecurityToken") != token ||
				q.Get("Note") != "a b*c~d+e/中&x=y" || q.Get("SignatureVersion") != "2.0" || q.Get("Version") != "2020-07-30" || q.Get("Action") != "OrderDetail" {
				t.Errorf("%v", q)
			}
		}
	}
}

// A kept connection that the server closes under a request must not make net/http send the request, and with it the
// nonce, a second time. A plain GET is sent again by itself.
func TestNoReplayOfAGet(t *testing.T) {
	t.Parallel()
	const good = `{"RequestId":"R"}`
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
					nonces = append(nonces, req.URL.Query().Get("SignatureNonce"))
					mu.Unlock()
					if n == 0 {
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"+good)
					}
				}
			})
		}
	})
	c := client(t, "http://"+l.Addr().String())
	lost := 0
	for range 20 {
		if _, err := c.Send(t.Context(), "Test", nil); err != nil {
			if e := failed(t, err); e.Reason != source.Unavailable || strings.Contains(err.Error(), "Signature=") {
				t.Error(err)
			}
			lost++
		}
	}
	_ = l.Close()
	c.Close()
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

func TestArgs(t *testing.T) {
	t.Parallel()
	a := args("b", "x y", "a", "中&=", "c", "")
	Sort(a)
	if got := Encode(a); got != "a=%E4%B8%AD%26%3D&b=x%20y&c=" {
		t.Error(got)
	}
}
