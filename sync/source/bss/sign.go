package bss

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/ordersync/ordersync/sync/source/wire"
)

const (
	signatureAlgorithm = "ACS3-HMAC-SHA256"
	// emptySHA256 is the SHA-256 of an empty body: all arguments are in the query.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// userAgent is the vendor's SDK's, and our name.
var userAgent = *openapiutil.GetUserAgent(dara.String("ordersync"))

// sign makes a signed request for one attempt, as the vendor's SDK would.
//
// The vendor refuses a nonce that it has seen, and net/http sends a request again by itself when a kept connection turns
// out to be closed, if it thinks that this does no harm. A POST without a body, without GetBody and without an
// Idempotency-Key is one that it never sends twice once a byte of it may have left.
func (c *Client) sign(ctx context.Context, base url.URL, action string, args []wire.Arg, key wire.Key) *http.Request {
	wire.Sort(args)
	version := c.version
	if action == productList || action == cancelOrder {
		version = Version2017
	}
	h := http.Header{
		"Accept":                     {"application/json"},
		"User-Agent":                 {userAgent},
		"X-Acs-Action":               {action},
		"X-Acs-Content-Sha256":       {emptySHA256},
		"X-Acs-Credentials-Provider": {key.Provider},
		"X-Acs-Date":                 {time.Now().UTC().Format(wire.Timestamp)},
		"X-Acs-Signature-Nonce":      {wire.Nonce()},
		"X-Acs-Version":              {version},
	}
	if key.Token != "" {
		h["X-Acs-Accesskey-Id"] = []string{key.ID}
		h["X-Acs-Security-Token"] = []string{key.Token}
	}
	h["Authorization"] = []string{authorization(base.Host, h, args, key)}

	base.RawQuery = wire.Encode(args)
	r := &http.Request{
		Method: http.MethodPost, URL: &base, Host: base.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return r.WithContext(ctx)
}

// authorization signs what is sent, with the vendor's own function. It covers the arguments, the host, and the x-acs
// headers.
func authorization(host string, h http.Header, args []wire.Arg, key wire.Key) string {
	query := make(map[string]*string, len(args))
	for i := range args {
		query[args[i].Name] = &args[i].Value
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
		dara.String(signatureAlgorithm), dara.String(emptySHA256), &key.ID, &key.Secret)
}
