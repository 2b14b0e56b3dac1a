package simulator

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The signature algorithms of the vendor's gateway.
const (
	acs3 = "ACS3-HMAC-SHA256" // in headers; what the current SDKs send
	v1   = "HMAC-SHA1"        // in the query; what older clients and other products use
)

// claim is what a request says about its sender, not yet believed.
type claim struct {
	algorithm string
	version   string // of the older algorithm
	keyID     string
	token     string
	nonce     string
	at        time.Time
	toSign    []byte
	signature string
}

// verify computes the signature again with the account's secret.
func (c *claim) verify(secret string) bool {
	var want string
	switch c.algorithm {
	case acs3:
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(c.toSign)
		want = hex.EncodeToString(h.Sum(nil))
	case v1:
		h := hmac.New(sha1.New, []byte(secret+"&"))
		h.Write(c.toSign)
		want = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return want != "" && hmac.Equal([]byte(want), []byte(c.signature))
}

// readClaim finds out how a request is signed and by whom. args are all parameters, of the query and of a form.
func readClaim(r *http.Request, query, args url.Values, body []byte) (*claim, *Error) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		return readACS3(r, auth, query, body)
	}
	if args.Get("AccessKeyId") == "" {
		return nil, errMissing("AccessKeyId")
	}
	return readV1(r.Method, args)
}

const timeLayout = "2006-01-02T15:04:05Z"

// readACS3 reads "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=a;b,Signature=…".
func readACS3(r *http.Request, auth string, query url.Values, body []byte) (*claim, *Error) {
	fields, ok := strings.CutPrefix(auth, acs3+" ")
	if !ok {
		return nil, errIncomplete
	}
	c := &claim{algorithm: acs3}
	var signed string
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			c.keyID = value
		case "SignedHeaders":
			signed = value
		case "Signature":
			c.signature = value
		}
	}
	c.nonce = r.Header.Get("X-Acs-Signature-Nonce")
	c.token = r.Header.Get("X-Acs-Security-Token")
	date := r.Header.Get("X-Acs-Date")
	switch {
	case c.keyID == "" || signed == "" || c.signature == "":
		return nil, errIncomplete
	case c.nonce == "":
		return nil, errMissing("x-acs-signature-nonce")
	case date == "":
		return nil, errMissing("x-acs-date")
	}
	var err error
	if c.at, err = time.Parse(timeLayout, date); err != nil {
		return nil, errTimeFormat
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if r.Header.Get("X-Acs-Content-Sha256") != hash {
		return nil, errSignature
	}
	names := strings.Split(signed, ";")
	for _, must := range []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} {
		if !slices.Contains(names, must) {
			return nil, errIncomplete
		}
	}
	slices.Sort(names)
	b := make([]byte, 0, 1024)
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, r.URL.EscapedPath()...), '\n')
	b = append(appendCanonical(b, query, ""), '\n')
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		b = append(append(append(append(b, name...), ':'), strings.TrimSpace(value)...), '\n')
	}
	b = append(append(append(append(b, '\n'), signed...), '\n'), hash...)
	sum = sha256.Sum256(b)
	c.toSign = hex.AppendEncode([]byte(acs3+"\n"), sum[:])
	return c, nil
}

// readV1 reads the signature parameters of the older algorithm.
func readV1(method string, args url.Values) (*claim, *Error) {
	c := &claim{
		algorithm: v1, version: args.Get("SignatureVersion"), keyID: args.Get("AccessKeyId"), token: args.Get("SecurityToken"),
		nonce: args.Get("SignatureNonce"), signature: args.Get("Signature"),
	}
	for _, must := range []string{"Signature", "SignatureNonce", "Timestamp", "SignatureMethod", "SignatureVersion"} {
		if args.Get(must) == "" {
			return nil, errMissing(must)
		}
	}
	if args.Get("SignatureMethod") != v1 {
		return nil, errIncomplete
	}
	var err error
	if c.at, err = time.Parse(timeLayout, args.Get("Timestamp")); err != nil {
		return nil, errTimeFormat
	}
	c.toSign = append(c.toSign, method...)
	c.toSign = append(c.toSign, "&%2F&"...)
	c.toSign = appendEscaped(c.toSign, string(appendCanonical(nil, args, "Signature")))
	return c, nil
}

// appendCanonical writes sorted, encoded parameters without one; an empty value keeps its "key=".
func appendCanonical(b []byte, args url.Values, without string) []byte {
	var room [24]string
	keys := room[:0]
	for k := range args {
		if k != without {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	first := true
	for _, k := range keys {
		for _, v := range args[k] {
			if !first {
				b = append(b, '&')
			}
			first = false
			b = append(appendEscaped(b, k), '=')
			b = appendEscaped(b, v)
		}
	}
	return b
}

// appendEscaped encodes as RFC 3986 has it: everything but letters, digits and "-_.~".
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
