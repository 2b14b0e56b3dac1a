package bss

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
)

const (
	signatureAlgorithm = "ACS3-HMAC-SHA256"
	// emptySHA256 is the SHA-256 of an empty body: all arguments are in the query.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// userAgent is the vendor's SDK's, and our name.
var userAgent = *openapiutil.GetUserAgent(dara.String("ordersync"))

// newRequest makes a signed request for one attempt, as the vendor's SDK would.
//
// The vendor refuses a nonce that it has seen, and net/http sends a request again by itself when a kept connection turns
// out to be closed, if it thinks that this does no harm. A POST without a body, without GetBody and without an
// Idempotency-Key is one that it never sends twice once a byte of it may have left.
func (c *Client) newRequest(ctx context.Context, action string, args []arg, key signingKey) *http.Request {
	sortArgs(args)
	h := http.Header{
		"Accept":                     {"application/json"},
		"User-Agent":                 {userAgent},
		"X-Acs-Action":               {action},
		"X-Acs-Content-Sha256":       {emptySHA256},
		"X-Acs-Credentials-Provider": {key.provider},
		"X-Acs-Date":                 {time.Now().UTC().Format(wireTime)},
		"X-Acs-Signature-Nonce":      {newNonce()},
		"X-Acs-Version":              {c.version},
	}
	if key.token != "" {
		h["X-Acs-Accesskey-Id"] = []string{key.id}
		h["X-Acs-Security-Token"] = []string{key.token}
	}
	h["Authorization"] = []string{authorization(c.base.Host, h, args, key)}

	u := c.base
	u.RawQuery = encodeArgs(args)
	r := &http.Request{
		Method: http.MethodPost, URL: &u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return r.WithContext(ctx)
}

// authorization signs what is sent, with the vendor's own function. It covers the arguments, the host, and the x-acs
// headers.
func authorization(host string, h http.Header, args []arg, key signingKey) string {
	query := make(map[string]*string, len(args))
	for i := range args {
		query[args[i].name] = &args[i].value
	}
	headers := make(map[string]*string, len(h)+1)
	headers["host"] = &host
	for name, values := range h {
		if strings.HasPrefix(name, "X-Acs-") {
			headers[strings.ToLower(name)] = &values[0]
		}
	}
	return *openapiutil.GetAuthorization(
		&dara.Request{Method: dara.String(http.MethodPost), Pathname: dara.String("/"), Query: query, Headers: headers},
		dara.String(signatureAlgorithm), dara.String(emptySHA256), &key.id, &key.secret)
}

// encodeArgs makes a query of sorted arguments.
func encodeArgs(args []arg) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(a.name)
		b.WriteByte('=')
		b.WriteString(strings.ReplaceAll(url.QueryEscape(a.value), "+", "%20"))
	}
	return b.String()
}

// newNonce has the form of the vendor's SDK's: 32 hexadecimal digits.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
