package web_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/web"
)

// A page of a stranger gets nothing, by whatever name it comes.
func TestHosts(t *testing.T) {
	s := listen(t, web.Options{Hosts: []string{"orders.example.com", "10.1.2.3", "::5"}})
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, host, origin string
		status             int
	}{
		{"/metrics", "127.0.0.1:" + port, "", 200}, {"/metrics", "127.0.0.9", "", 200}, {"/metrics", "localhost:1", "", 200},
		{"/metrics", "LOCALHOST.", "", 200}, {"/metrics", "[::1]:9464", "", 200}, {"/metrics", own + ":9464", "", 200},
		{"/metrics", "Orders.example.com", "", 200}, {"/metrics", "orders.example.com.:443", "", 200}, {"/metrics", "10.1.2.3:80", "", 200},
		{"/metrics", "[::5]", "", 200}, {"/metrics", "127.0.0.1", "https://orders.example.com", 200},
		{"/metrics", "evil.example", "", 421}, {"/metrics", "127.0.0.1.evil.example:" + port, "", 421}, {"/metrics", "localhost.evil.example", "", 421},
		{"/metrics", "203.0.113.5", "", 421}, {"/metrics", "[::6]", "", 421}, {"/", "evil.example", "", 421}, {"/api/status", "evil.example", "", 421},
		{"/nothing", "evil.example", "", 421},
		{"/metrics", "127.0.0.1", "https://evil.example", 403}, {"/api/status", "127.0.0.1", "null", 403}, {"/", "127.0.0.1", "http://localhost.evil.example", 403},
		{"/healthz", "ordersync.orders.svc", "", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || c.status != 200 && !strings.Contains(string(body), "http.hosts") {
			t.Errorf("%s of %s from %q: %s %q %v", c.path, c.host, c.origin, resp.Status, body, err)
		}
	}
}
