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
	return append(plainHTTP("endpoint", a.Endpoint, "orders and signed requests"),
		plainHTTP("credentials.credentials_uri", a.Credentials.CredentialsURI.Reveal(), "keys")...)
}

// InTheClear says the same of what all accounts share: the warehouse's own server, and where messages are posted.
func (c *Config) InTheClear() []string {
	return append(c.ClickHouse.InTheClear(), c.Notify.InTheClear()...)
}

// InTheClear is as that of an account.
func (c *ClickHouse) InTheClear() []string {
	if c.IsEmbedded() {
		return nil
	}
	out := plainHTTP("clickhouse.http", c.HTTP, "the reader's password and results")
	for _, addr := range c.Addr {
		if host, _, err := net.SplitHostPort(addr); err == nil && !c.Secure && !isThisMachine(host) {
			return append(out, "clickhouse.addr is another machine and clickhouse.secure is off, so the password and all rows travel unprotected: "+
				"use the server's port for TLS with secure: true")
		}
	}
	return out
}

// InTheClear is as that of an account.
func (n *Notify) InTheClear() []string {
	return plainHTTP("notify.url", n.URL.Reveal(), "messages, and the key that the address may hold,")
}

// plainHTTP is the warning about one address, where there is something to warn of.
func plainHTTP(field, value, what string) []string {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" || isThisMachine(u.Hostname()) {
		return nil
	}
	return []string{fmt.Sprintf("%s is plain HTTP to another machine, so %s travel unprotected: use https://", field, what)}
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
