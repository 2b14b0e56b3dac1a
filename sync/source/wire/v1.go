package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
)

// Arg is one argument of a call.
type Arg struct{ Name, Value string }

// Sort sorts arguments by name, as signatures want them.
func Sort(args []Arg) {
	slices.SortFunc(args, func(a, b Arg) int { return strings.Compare(a.Name, b.Name) })
}

// Encode makes a query of sorted arguments.
func Encode(args []Arg) string {
	var b strings.Builder
	b.Grow(40 * len(args))
	for i, a := range args {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(a.Name)
		b.WriteByte('=')
		escape(&b, a.Value)
	}
	return b.String()
}

// escape writes a value as RFC 3986 wants it, which is how signatures want it.
func escape(b *strings.Builder, s string) {
	const hexadecimal = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexadecimal[c>>4])
			b.WriteByte(hexadecimal[c&15])
		}
	}
}

// Nonce has the form of the vendor's SDK's: 32 hexadecimal digits.
func Nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	var digits [32]byte
	hex.Encode(digits[:], b[:])
	return string(digits[:])
}

// Timestamp is how signed requests say when they were made: whole seconds, of a time in UTC.
const Timestamp = time.RFC3339

// V1 signs requests in the way that old APIs of Alibaba Cloud, and UniCloud, want: everything is in the query, and the
// signature is an HMAC-SHA1 over the method, "/" (whatever the path is) and the sorted query, by the vendor's own function.
type V1 struct {
	Method           string // GET or POST
	Format           string // of the answer
	Version          string // of the API
	SignatureVersion string
	UserAgent        string
}

// Request makes a signed request for one attempt. It is an Options.Sign.
//
// The vendors refuse a nonce that they have seen, and net/http sends a request again by itself when a kept connection
// turns out to be closed, if it thinks that this does no harm. It thinks so of every GET without a body; so a GET gets a
// body of no bytes that cannot be made anew, which leaves nothing on the wire. A POST without a body is sent again only if
// no byte of it has left.
func (v V1) Request(ctx context.Context, base url.URL, action string, args []Arg, key Key) *http.Request {
	args = append(slices.Grow(args, 10),
		Arg{"Action", action}, Arg{"Format", v.Format}, Arg{"Version", v.Version}, Arg{"AccessKeyId", key.ID},
		Arg{"SignatureMethod", "HMAC-SHA1"}, Arg{"SignatureVersion", v.SignatureVersion}, Arg{"SignatureNonce", Nonce()},
		Arg{"Timestamp", key.timestamp()})
	if key.Token != "" {
		args = append(args, Arg{"SecurityToken", key.Token})
	}
	args = append(args, Arg{"Signature", SignV1(v.Method, args, key.Secret)})
	Sort(args)
	base.RawQuery = Encode(args)
	r := &http.Request{
		Method: v.Method, URL: &base, Host: base.Host, Header: http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "User-Agent": {v.UserAgent}},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if v.Method == http.MethodGet {
		r.Body = once{}
	}
	return r.WithContext(ctx)
}

// SignV1 gives the signature of a call.
func SignV1(method string, args []Arg, secret string) string {
	params := make(map[string]*string, len(args))
	for i := range args {
		params[args[i].Name] = &args[i].Value
	}
	return *openapiutil.GetRPCSignature(params, &method, &secret)
}

// once is a body without a byte that net/http does not know to be one, so that it cannot send it a second time.
type once struct{}

func (once) Read([]byte) (int, error) { return 0, io.EOF }
func (once) Close() error             { return nil }
