package wire

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// appendRequest appends a request as net/http writes it, byte for byte, in a fraction of the time. It knows the requests
// that this package makes and no others: it reports false where anything is out of the ordinary, and net/http must write it.
func appendRequest(b []byte, r *http.Request) ([]byte, bool) {
	const ours = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:[]"
	path, query, agent := r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("User-Agent")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost,
		r.Body != nil && r.Body != once{}, r.ContentLength != 0, r.TransferEncoding != nil, r.Trailer != nil, r.Close,
		r.URL.Opaque != "", !strings.HasPrefix(path, "/"), query == "" || !visible(query),
		r.Host == "" || strings.Trim(r.Host, ours) != "", agent == "":
		return b, false
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, '?')
	b = append(b, query...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, "\r\nUser-Agent: "...)
	b = append(b, agent...)
	if r.Method == http.MethodPost {
		b = append(b, "\r\nContent-Length: 0"...)
	}
	names := make([]string, 0, 16) // stays on the stack
	for name, values := range r.Header {
		if len(values) != 1 || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(values[0]) ||
			strings.TrimSpace(values[0]) != values[0] {
			return b, false
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch name {
		case "User-Agent":
			continue
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			return b, false
		}
		b = append(b, "\r\n"...)
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, r.Header[name][0]...)
	}
	return append(b, "\r\n\r\n"...), true
}

// visible reports whether a text has visible ASCII characters, and spaces, only.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
