package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source/keys"
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

// start serves the host, and returns its address and a transport for it.
func (h *host) start(t *testing.T) (url.URL, *http.Transport) {
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
	base := url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}
	transport := NewTransport(base, 2, nil)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = l.Close()
		wg.Wait()
	})
	return base, transport
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

const ok = "HTTP/1.1 200 OK\r\n"

// ask makes a call over a transport, and reads its answer.
func ask(ctx context.Context, base url.URL, transport *http.Transport) (status int, body string, err error) {
	resp, err := transport.RoundTrip(ACS3(ctx, base, "v", "Ask", args("A", "b"), keys.Key{ID: "id", Secret: "s", Provider: "p"}))
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
		{"early close", ok + "Content-Length: 9\r\n\r\n{}", true, "{}", "unexpected EOF", false},
		{"close in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\n{}", true, "{}", "unexpected EOF", false},
		{"close in the head", ok + "Content-Length: 2\r\n", true, "", "unexpected EOF", false},
		{"no answer", "", true, "", "EOF", false},
		{"negative length", ok + "Content-Length: -2\r\n\r\n{}", false, "", "Content-Length", false},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}!", false, "", "multiple Content-Length", false},
		{"head without an end", ok + "X: " + strings.Repeat("y", maxHeader) + "\r\nContent-Length: 2\r\n\r\n{}", false, "", "headers exceeded", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &host{answer: tc.answer, hangUp: tc.hangUp}
			base, transport := h.start(t)
			for range 2 {
				_, body, err := ask(t.Context(), base, transport)
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

// Bytes after a body that are no answer end the connection: the next call goes over a new one or, if net/http had handed out the old
// one before it saw them, fails.
func TestBytesAfterABody(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{ok, ok + "X: y", "{}", "\x00"} {
		h := &host{answer: ok + "Content-Length: 2\r\n\r\n{}" + rest}
		base, transport := h.start(t)
		for i := range 20 {
			if _, body, err := ask(t.Context(), base, transport); (i == 0 || err == nil) && (err != nil || body != "{}") {
				t.Errorf("%q: call %d: %.40q, %v", rest, i, body, err)
			}
		}
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
		base, transport := h.start(t)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, _, err := ask(ctx, base, transport)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		h.mu.Lock()
		if len(h.requests) > h.connections {
			t.Errorf("%s: %d requests over %d connections", name, len(h.requests), h.connections)
		}
		h.mu.Unlock()
	}
}
