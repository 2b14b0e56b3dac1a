package wire

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"sync"
)

const (
	acs3 = "ACS3-HMAC-SHA256"
	// emptySHA256 is the SHA-256 of an empty body: all arguments are in the query.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// signedHeaders are what the signature covers beside the host, if they are there, in the order in which it does.
var signedHeaders = []struct{ header, name string }{
	{"X-Acs-Accesskey-Id", "x-acs-accesskey-id"},
	{"X-Acs-Action", "x-acs-action"},
	{"X-Acs-Content-Sha256", "x-acs-content-sha256"},
	{"X-Acs-Credentials-Provider", "x-acs-credentials-provider"},
	{"X-Acs-Date", "x-acs-date"},
	{"X-Acs-Security-Token", "x-acs-security-token"},
	{"X-Acs-Signature-Nonce", "x-acs-signature-nonce"},
	{"X-Acs-Version", "x-acs-version"},
}

// ACS3 makes a signed request for one attempt in the way that the present APIs of Alibaba Cloud want, as the vendor's SDK
// would: a POST with all arguments in the query, and an HMAC-SHA256 over query and headers. Tests hold the signature
// against the vendor's own function, which takes several times as long.
//
// The vendor refuses a nonce that it has seen, and net/http sends a request again by itself when a kept connection turns
// out to be closed, if it thinks that this does no harm. A POST without a body, without GetBody and without an
// Idempotency-Key is one that it never sends twice once a byte of it may have left.
func ACS3(ctx context.Context, base url.URL, version, action, userAgent string, args []Arg, key Key) *http.Request {
	Sort(args)
	base.RawQuery = Encode(args)
	h := make(http.Header, 12)
	values := make([]string, 0, 12) // one piece of memory for all
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Accept", "application/json")
	set("Accept-Encoding", "gzip")
	set("User-Agent", userAgent)
	set("X-Acs-Action", action)
	set("X-Acs-Content-Sha256", emptySHA256)
	set("X-Acs-Credentials-Provider", key.Provider)
	set("X-Acs-Date", key.timestamp())
	set("X-Acs-Signature-Nonce", Nonce())
	set("X-Acs-Version", version)
	if key.Token != "" {
		set("X-Acs-Accesskey-Id", key.ID)
		set("X-Acs-Security-Token", key.Token)
	}
	set("Authorization", signACS3(base.Host, base.RawQuery, h, key))
	r := &http.Request{
		Method: http.MethodPost, URL: &base, Host: base.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return r.WithContext(ctx)
}

// signer is what a signature takes, kept for the next one.
type signer struct {
	secret           string
	mac              hash.Hash // HMAC-SHA256 by the secret
	text, names, sum []byte
}

var signers = sync.Pool{New: func() any { return new(signer) }}

// signACS3 gives the Authorization of a request. query is encoded and sorted.
func signACS3(host, query string, h http.Header, key Key) string {
	s := signers.Get().(*signer)
	defer signers.Put(s)
	if s.mac == nil || s.secret != key.Secret {
		s.secret, s.mac = key.Secret, hmac.New(sha256.New, []byte(key.Secret))
	}
	canonical := append(s.text[:0], "POST\n/\n"...)
	canonical = append(canonical, query...)
	canonical = append(canonical, "\nhost:"...)
	canonical = append(canonical, host...)
	names := append(s.names[:0], "host"...)
	for _, signed := range signedHeaders {
		if values := h[signed.header]; len(values) > 0 {
			canonical = append(canonical, '\n')
			canonical = append(canonical, signed.name...)
			canonical = append(canonical, ':')
			canonical = append(canonical, values[0]...)
			names = append(names, ';')
			names = append(names, signed.name...)
		}
	}
	canonical = append(canonical, "\n\n"...)
	canonical = append(canonical, names...)
	canonical = append(canonical, "\n"+emptySHA256...)
	sum := sha256.Sum256(canonical)

	text := hex.AppendEncode(append(canonical[:0], acs3+"\n"...), sum[:])
	s.mac.Reset()
	_, _ = s.mac.Write(text)
	s.sum = s.mac.Sum(s.sum[:0])

	text = append(text[:0], acs3+" Credential="...)
	text = append(text, key.ID...)
	text = append(text, ",SignedHeaders="...)
	text = append(text, names...)
	text = append(text, ",Signature="...)
	text = hex.AppendEncode(text, s.sum)
	s.text, s.names = text, names
	return string(text)
}
