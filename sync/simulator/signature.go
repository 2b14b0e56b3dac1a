package simulator

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
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

// claim is what a request says about its sender, not checked yet.
type claim struct {
	algorithm string
	version   string // of the older algorithm
	keyID     string
	token     string
	nonce     string
	at        time.Time
	toSign    string
	signature string
}

// verify computes the signature again with the account's secret.
func (c *claim) verify(secret string) bool {
	var want string
	switch c.algorithm {
	case acs3:
		h := hmac.New(sha256.New, []byte(secret))
		io.WriteString(h, c.toSign)
		want = hex.EncodeToString(h.Sum(nil))
	case v1:
		h := hmac.New(sha1.New, []byte(secret+"&"))
		io.WriteString(h, c.toSign)
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
	headers := ""
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers += name + ":" + strings.TrimSpace(value) + "\n"
	}
	request := []string{r.Method, r.URL.EscapedPath(), rfc3986(query.Encode()), headers, signed, hash}
	sum = sha256.Sum256([]byte(strings.Join(request, "\n")))
	c.toSign = acs3 + "\n" + hex.EncodeToString(sum[:])
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
	signed := maps.Clone(args)
	delete(signed, "Signature")
	c.toSign = method + "&%2F&" + rfc3986(url.QueryEscape(rfc3986(signed.Encode())))
	return c, nil
}

// rfc3986 makes of what is encoded as a form, where a blank is a plus, what the vendor signs.
func rfc3986(encoded string) string { return strings.ReplaceAll(encoded, "+", "%20") }
