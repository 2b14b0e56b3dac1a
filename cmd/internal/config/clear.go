package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// InTheClear says of each address of the account that is plain HTTP to another machine what that means: whoever is on the
// way reads keys or orders, and may change the answers. It is a warning, since a private network may do.
func (a *Account) InTheClear() []string {
	var out []string
	for _, at := range []struct{ field, value, what string }{
		{"endpoint", a.Endpoint, "orders and signed requests"},
		{"credentials.credentials_uri", a.Credentials.CredentialsURI.Reveal(), "keys"},
	} {
		u, err := url.Parse(at.value)
		if err != nil || u.Scheme != "http" || isThisMachine(u.Hostname()) {
			continue
		}
		out = append(out, fmt.Sprintf("%s is plain HTTP to another machine, so %s travel unprotected: use https://", at.field, at.what))
	}
	return out
}

// isThisMachine reports whether a host is the machine itself. Names other than its own are not looked up: what they mean
// here may be different tomorrow.
func isThisMachine(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if own, err := os.Hostname(); host == "localhost" || err == nil && host == strings.ToLower(own) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip.Unmap() {
			return true
		}
	}
	return false
}
