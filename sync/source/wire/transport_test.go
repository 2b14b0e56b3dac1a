package wire

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

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
