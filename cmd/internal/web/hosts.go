package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// A page of a stranger can make a browser ask this server: by a name of the stranger's own that suddenly means this
// machine, so that the browser takes the answer for the stranger's. So only requests for names that mean this server are
// answered, whoever sends them.

// guardHosts answers requests for a name of this server: one of names, a name or address of this machine, or the address that
// the connection was made to. Probes of an orchestrator come by names of its own, and learn nothing but that the server lives.
func guardHosts(names []string, next http.Handler) http.Handler {
	if own, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(own, ".")
		names = append(slices.Clone(names), own, short)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		origin, err := url.Parse(r.Header.Get("Origin"))
		switch {
		case !probe && !isOurs(r.Host, names, r):
			text(w, http.StatusMisdirectedRequest, "this server is not known by the name that was asked for: "+
				"name it in http.hosts of its configuration, or ask for it by its address")
		case !probe && r.Header.Get("Origin") != "" && (err != nil || !isOurs(origin.Host, names, r)):
			text(w, http.StatusForbidden, "pages of other servers get no answer: http.hosts of the configuration names those that do")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isOurs reports whether a host, with or without a port, is this server.
func isOurs(host string, names []string, r *http.Request) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.IsLoopback() {
			return true
		}
		local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && local.AddrPort().Addr().Unmap() == ip.Unmap() {
			return true
		}
	}
	return host != "" && (strings.EqualFold(host, "localhost") ||
		slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(host, strings.TrimSuffix(name, ".")) }))
}
