package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// host is a server that knows no HTTP: it reads requests and answers each with the same bytes. It counts its connections
// and, if hangUp is set, ends each after one answer.
type host struct {
	answer string
	hangUp bool

	mu          sync.Mutex
	connections int
	requests    []string // their first lines
}

func (h *host) start(t *testing.T) *direct {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.connections++
			h.mu.Unlock()
			wg.Go(func() { h.serve(c) })
		}
	})
	base := url.URL{Scheme: "http", Host: l.Addr().String()}
	d := NewTransport(base, DefaultDialTimeout, 2, nil).(*direct)
	t.Cleanup(func() {
		d.CloseIdleConnections()
		_ = l.Close()
		wg.Wait()
	})
	return d
}

func (h *host) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		h.mu.Lock()
		h.requests = append(h.requests, request.Method+" "+request.URL.String())
		h.mu.Unlock()
		if _, err := io.WriteString(c, h.answer); err != nil || h.hangUp {
			return
		}
	}
}

// ask makes a call over a transport, and reads its answer.
func ask(ctx context.Context, d *direct) (status int, body string, err error) {
	r := ACS3(ctx, url.URL{Scheme: "http", Host: d.addr, Path: "/"}, "v", "Ask", "ua", args("A", "b"), Key{ID: "id", Secret: "s", Provider: "p"})
	resp, err := d.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	body, err = readBody(resp)
	return resp.StatusCode, body, err
}

// What an answer does to its call, and to the connection that it came over.
func TestAnswersOverAConnection(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for _, tc := range []struct {
		name   string
		answer string
		hangUp bool
		body   string
		err    string
		reused bool
	}{
		{"usual", ok + "Content-Length: 2\r\n\r\n{}", false, "{}", "", true},
		{"empty", ok + "Content-Length: 0\r\n\r\n", false, "", "", true},
		{"long", ok + "Content-Length: 100000\r\n\r\n" + long, false, long, "", true},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false, "{}", "", true},
		{"chunked with a trailer", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", false, "{}", "", true},
		{"long head", ok + "X: " + long + "\r\nContent-Length: 2\r\n\r\n{}", false, "{}", "", true},
		{"early hints", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\n{}", false, "{}", "", true},
		{"close", ok + "Connection: close\r\nContent-Length: 2\r\n\r\n{}", false, "{}", "", false},
		{"until the end", ok + "\r\n{}", true, "{}", "", false},
		{"bytes after the body", ok + "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n", false, "{}", "", false},
		{"early close", ok + "Content-Length: 9\r\n\r\n{}", true, "{}", "unexpected EOF", false},
		{"close in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\n{}", true, "{}", "unexpected EOF", false},
		{"close in the head", ok + "Content-Length: 2\r\n", true, "", "unexpected EOF", false},
		{"no answer", "", true, "", "EOF", false},
		{"negative length", ok + "Content-Length: -2\r\n\r\n{}", false, "", "Content-Length", false},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}!", false, "", "multiple Content-Length", false},
		{"head without an end", ok + "X: " + strings.Repeat("y", maxHeader) + "\r\nContent-Length: 2\r\n\r\n{}", false, "", "EOF", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &host{answer: tc.answer, hangUp: tc.hangUp}
			d := h.start(t)
			for range 2 {
				_, body, err := ask(t.Context(), d)
				if body != tc.body || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%.40q, %v", body, err)
				}
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if reused := h.connections == 1; reused != tc.reused || len(h.requests) != 2 {
				t.Errorf("%d connections for %q", h.connections, h.requests)
			}
		})
	}
}

// A request of any kind can be sent, and who traces it is told once when it was written.
func TestRequestsOfAllKinds(t *testing.T) {
	t.Parallel()
	h := &host{answer: ok + "Content-Length: 2\r\n\r\n{}"}
	d := h.start(t)
	wrote := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if wrote++; i.Err != nil {
			t.Error(i.Err)
		}
	}})
	if _, _, err := ask(ctx, d); err != nil || wrote != 1 {
		t.Errorf("usual: told %d times, %v", wrote, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+d.addr+"/x", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := d.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := readBody(resp); body != "{}" || err != nil || wrote != 2 {
		t.Errorf("unusual: told %d times, %q, %v", wrote, body, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := strings.Join(h.requests, ", "); got != "POST /?A=b, PUT /x" || h.connections != 1 {
		t.Errorf("%s over %d connections", got, h.connections)
	}
}

// A context that ends while an answer is awaited, or in the middle of its body, ends the call and the connection.
func TestContextEndsACall(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"nothing": "", "half a head": ok + "Content-Length: 2\r\n", "half a body": ok + "Content-Length: 9\r\n\r\n{}",
		"half a chunk": ok + "Transfer-Encoding: chunked\r\n\r\n9\r\n{}",
	} {
		h := &host{answer: answer}
		d := h.start(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, _, err := ask(ctx, d)
		cancel()
		if n := net.Error(nil); !errors.As(err, &n) || !n.Timeout() || len(d.idle) != 0 {
			t.Errorf("%s: %v, %d connections kept", name, err, len(d.idle))
		}
	}
}

// loop is a connection to a host that answers every request with the same bytes. It makes no system call, so that a
// benchmark over it sees our own work alone.
type loop struct {
	net.Conn
	answer string
	unread string
}

func (l *loop) Write(p []byte) (int, error) {
	l.unread = l.answer
	return len(p), nil
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.unread)
	l.unread = l.unread[n:]
	return n, nil
}

// BenchmarkCall is one call and what it takes, but for the network and the reading of what the answer says.
func BenchmarkCall(b *testing.B) {
	body := `{"Code":"` + strings.Repeat("x", 3400) + `"}`
	keys, err := NewKeyring(Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret})
	if err != nil {
		b.Fatal(err)
	}
	base := url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	t := NewTransport(base, DefaultDialTimeout, 1, nil).(*direct)
	t.put(newConn(&loop{answer: "HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 17:27:59 GMT\r\nContent-Type: application/json;charset=utf-8\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\nConnection: keep-alive\r\nAccess-Control-Allow-Origin: *\r\n" +
		"X-Acs-Request-Id: 61293E7A-3406-4447-8620-EC88B0AA66AD\r\n\r\n" + body}))
	c, err := New(Options{
		Vendor: "test", Account: "main", Endpoint: base.String(), Keys: keys, Transport: t,
		Sign: func(ctx context.Context, base url.URL, action string, args []Arg, key Key) *http.Request {
			return ACS3(ctx, base, "2017-12-14", action, "AlibabaCloud (linux; amd64) Golang/1.26.8 Core/0.01 TeaDSL/2 ordersync", args, key)
		},
		Parse: func(string) (Envelope, error) { return Envelope{}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if a, err := c.Send(ctx, "GetOrderDetail", []Arg{{Name: "OrderId", Value: "211059788270709"}}); err != nil || len(a.Body) != len(body) {
			b.Fatal(err)
		}
	}
}
