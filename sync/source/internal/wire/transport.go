package wire

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// idleTimeout is short, so that a kept connection is rarely one that the vendor has just closed. Under load
	// connections are never idle for so long.
	idleTimeout = 15 * time.Second
	maxHeader   = 1 << 20
	dialTimeout = 5 * time.Second // of connecting, and again of the TLS handshake
)

// NewTransport makes a transport for one host that keeps one connection for each call in flight. The request's context
// bounds a call as a whole. It speaks HTTP/1.1 only: HTTP/2 sends a request again by itself when a server says that it has
// not looked at it, and a gateway in between may have. HTTP/1.1 does so too where a kept connection turns out to be closed,
// but only with requests that are idempotent and can be replayed, which those of Options.Sign are not. config is for tests;
// nil trusts what the system trusts.
func NewTransport(base url.URL, inFlight int, config *tls.Config) *http.Transport {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(&base) // leaves out loopback addresses
	return &http.Transport{
		Proxy:                  func(*http.Request) (*url.URL, error) { return proxy, err },
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        config,
		Protocols:              &protocols,
		MaxConnsPerHost:        inFlight,
		MaxIdleConns:           inFlight,
		MaxIdleConnsPerHost:    inFlight,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}
