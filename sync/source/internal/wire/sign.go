package wire

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/sync/source/keys"
)

// userAgent is how our calls are named in the vendors' logs.
const userAgent = "ordersync"

// Arg is one argument of a call. Its name needs no escaping.
type Arg struct{ Name, Value string }

// Sort sorts arguments by name, as signatures want them.
func Sort(args []Arg) {
	slices.SortFunc(args, func(a, b Arg) int { return strings.Compare(a.Name, b.Name) })
}

// Encode makes a query of sorted arguments.
func Encode(args []Arg) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(a.Name)
		b.WriteByte('=')
		b.WriteString(escape(a.Value))
	}
	return b.String()
}

// escape escapes a value as RFC 3986 has it, which is how signatures want it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// Nonce has the form of the vendor's SDK's: 32 hexadecimal digits.
func Nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Timestamp is how signed requests say when they were made: whole seconds, of a time in UTC.
const Timestamp = time.RFC3339

// timestamp returns when a request is signed, as it says.
func timestamp(k keys.Key) string {
	if k.At.IsZero() {
		k.At = time.Now()
	}
	return k.At.UTC().Format(Timestamp)
}

func mac(h func() hash.Hash, key, text string) []byte {
	m := hmac.New(h, []byte(key))
	_, _ = io.WriteString(m, text) // never fails
	return m.Sum(nil)
}

// V1 signs requests in the way that old APIs of Alibaba Cloud, and UniCloud, want: everything is in the query.
type V1 struct {
	Method           string // GET or POST
	Format           string // of the answer
	Version          string // of the API
	SignatureVersion string
}

// Request makes a signed request for one attempt. It is an Options.Sign.
//
// The vendors refuse a nonce that they have seen, and net/http sends a request again by itself when a kept connection
// turns out to be closed, if it thinks that this does no harm. It thinks so of every GET without a body; so a GET gets a
// body of no bytes that cannot be made anew, which leaves nothing on the wire. A POST without a body is sent again only if
// no byte of it has left.
func (v V1) Request(ctx context.Context, base url.URL, action string, args []Arg, key keys.Key) *http.Request {
	args = append(slices.Grow(args, 10),
		Arg{"Action", action}, Arg{"Format", v.Format}, Arg{"Version", v.Version}, Arg{"AccessKeyId", key.ID},
		Arg{"SignatureMethod", "HMAC-SHA1"}, Arg{"SignatureVersion", v.SignatureVersion}, Arg{"SignatureNonce", Nonce()},
		Arg{"Timestamp", timestamp(key)})
	if key.Token != "" {
		args = append(args, Arg{"SecurityToken", key.Token})
	}
	args = append(args, Arg{"Signature", SignV1(v.Method, args, key.Secret)})
	r := request(ctx, v.Method, base, args, http.Header{"Accept": {"*/*"}})
	if v.Method == http.MethodGet {
		r.Body = once{}
	}
	return r
}

// SignV1 returns the signature of a call: HMAC-SHA1 over the method, "/" (whatever the path is) and the sorted query.
func SignV1(method string, args []Arg, secret string) string {
	sorted := slices.Clone(args)
	Sort(sorted)
	return base64.StdEncoding.EncodeToString(mac(sha1.New, secret+"&", method+"&%2F&"+escape(Encode(sorted))))
}

const (
	acs3 = "ACS3-HMAC-SHA256"
	// emptySHA256 is the SHA-256 of an empty body: all arguments are in the query.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// ACS3 makes a signed request for one attempt in the way that the present APIs of Alibaba Cloud want, as the vendor's SDK
// would: a POST with all arguments in the query.
//
// As with V1, a nonce must not be sent twice. A POST without a body, without GetBody and without an Idempotency-Key is one
// that net/http never sends again once a byte of it may have left.
func ACS3(ctx context.Context, base url.URL, version, action string, args []Arg, key keys.Key) *http.Request {
	h := http.Header{
		"Accept":                     {"application/json"},
		"X-Acs-Action":               {action},
		"X-Acs-Content-Sha256":       {emptySHA256},
		"X-Acs-Credentials-Provider": {key.Provider},
		"X-Acs-Date":                 {timestamp(key)},
		"X-Acs-Signature-Nonce":      {Nonce()},
		"X-Acs-Version":              {version},
	}
	if key.Token != "" {
		h["X-Acs-Accesskey-Id"], h["X-Acs-Security-Token"] = []string{key.ID}, []string{key.Token}
	}
	r := request(ctx, http.MethodPost, base, args, h)
	h["Authorization"] = []string{signACS3(r.Host, r.URL.RawQuery, h, key)}
	return r
}

// signedHeaders are what an ACS3 signature covers beside the host, if they are there, in the order in which it does.
var signedHeaders = []string{
	"X-Acs-Accesskey-Id", "X-Acs-Action", "X-Acs-Content-Sha256", "X-Acs-Credentials-Provider", "X-Acs-Date",
	"X-Acs-Security-Token", "X-Acs-Signature-Nonce", "X-Acs-Version",
}

// signACS3 returns the Authorization of a request: HMAC-SHA256 over its query, which is encoded and sorted, and its headers.
func signACS3(host, query string, h http.Header, key keys.Key) string {
	headers, names := "host:"+host+"\n", "host"
	for _, name := range signedHeaders {
		if values := h[name]; len(values) > 0 {
			name = strings.ToLower(name)
			headers += name + ":" + values[0] + "\n"
			names += ";" + name
		}
	}
	sum := sha256.Sum256([]byte("POST\n/\n" + query + "\n" + headers + "\n" + names + "\n" + emptySHA256))
	signature := mac(sha256.New, key.Secret, acs3+"\n"+hex.EncodeToString(sum[:]))
	return acs3 + " Credential=" + key.ID + ",SignedHeaders=" + names + ",Signature=" + hex.EncodeToString(signature)
}

// request makes a request with all arguments in its query, which it sorts.
func request(ctx context.Context, method string, base url.URL, args []Arg, h http.Header) *http.Request {
	Sort(args)
	base.RawQuery = Encode(args)
	h["Accept-Encoding"], h["User-Agent"] = []string{"gzip"}, []string{userAgent}
	r := &http.Request{Method: method, URL: &base, Host: base.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	return r.WithContext(ctx)
}

// once is a body without a byte that net/http does not know to be one, so that it cannot send it a second time.
type once struct{}

func (once) Read([]byte) (int, error) { return 0, io.EOF }
func (once) Close() error             { return nil }
