package wire

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const ok = "HTTP/1.1 200 OK\r\n"

// answers are what a host may send, and whether it is of the usual form.
var answers = []struct {
	name, raw string
	usual     bool
}{
	{"usual", ok + "Date: Wed, 25 Nov 2026 17:27:59 GMT\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}", true},
	{"error", "HTTP/1.1 503 Service Unavailable\r\nretry-after:  7  \r\nx-acs-request-id:R-1\r\nCONTENT-LENGTH:2\r\n\r\n{}", true},
	{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true},
	{"blank reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", true},
	{"empty field", ok + "X-Empty:\r\nContent-Length: 1\r\n\r\na", true},
	{"bytes after the body", ok + "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n", true},
	{"early close", ok + "Content-Length: 9\r\n\r\n{}", true},
	{"length with zeros", ok + "Content-Length: 0002\r\n\r\n{}", true},
	{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
	{"chunked with a trailer", ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\nmore", false},
	{"chunked, cut", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\n{}", false},
	{"chunked, odd size", ok + "Transfer-Encoding: chunked\r\n\r\nx\r\n{}", false},
	{"chunked and a length", ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
	{"other encoding", ok + "Transfer-Encoding: gzip, chunked\r\nContent-Length: 2\r\n\r\n{}", false},
	{"negative length", ok + "Content-Length: -2\r\n\r\n{}", false},
	{"signed length", ok + "Content-Length: +2\r\n\r\n{}", false},
	{"no number", ok + "Content-Length: 0x2\r\n\r\n{}", false},
	{"empty length", ok + "Content-Length: \r\n\r\n{}", false},
	{"huge length", ok + "Content-Length: 9223372036854775808\r\n\r\n{}", false},
	{"lengths as a list", ok + "Content-Length: 2, 2\r\n\r\n{}", false},
	{"same length twice", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", false},
	{"two lengths", ok + "Content-Length: 2\r\ncontent-length: 3\r\n\r\n{}!", false},
	{"until the end", ok + "Content-Type: text/html\r\n\r\n<html>", false},
	{"close", ok + "Content-Length: 2\r\nConnection: close\r\n\r\n{}", false},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"two cookies", ok + "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\n{}", false},
	{"folded", ok + "X-Long: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", false},
	{"folded first", ok + " X: a\r\nContent-Length: 2\r\n\r\n{}", false},
	{"folded length", ok + "Content-Length:\r\n 2\r\n\r\n{}", false},
	{"tab", ok + "X-Tab: a\tb\r\nContent-Length: 2\r\n\r\n{}", false},
	{"space before the colon", ok + "Content-Length : 2\r\n\r\n{}", false},
	{"no colon", ok + "Content-Length\r\n\r\n{}", false},
	{"no name", ok + ": 2\r\nContent-Length: 2\r\n\r\n{}", false},
	{"odd name", ok + "X_Y: 2\r\nContent-Length: 2\r\n\r\n{}", false},
	{"lines without CR", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}\r\n\r\n", false},
	{"one line without CR", ok + "X: y\nContent-Length: 2\r\n\r\n{}", false},
	{"CR in a value", ok + "X: a\rb\r\nContent-Length: 2\r\n\r\n{}", false},
	{"NUL in a value", ok + "X: a\x00b\r\nContent-Length: 2\r\n\r\n{}", false},
	{"beyond ASCII", ok + "X: \u4e2d\r\nContent-Length: 2\r\n\r\n{}", false},
	{"pragma", ok + "Pragma: no-cache\r\nContent-Length: 2\r\n\r\n{}", false},
	{"no content", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", false},
	{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}", false},
	{"continue", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", false},
	{"status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"signed status", "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"two spaces", "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"other protocol", "ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
	{"no head", "<html>\r\n\r\n", false},
	{"cut head", ok + "Content-Length: 2\r\n", false},
	{"nothing", "", false},
	{"head longer than the buffer", ok + "X: " + strings.Repeat("y", 5000) + "\r\nContent-Length: 2\r\n\r\n{}", true},
}

// outcome is all that an answer is to its reader, and what it leaves behind.
type outcome struct {
	Response  *http.Response
	Err       string
	Body      string
	BodyErr   string
	Trailer   http.Header
	Remaining string
}

func outcomeOf(from io.Reader, method string, read func(*bufio.Reader, *http.Request) (*http.Response, error)) outcome {
	r := bufio.NewReader(from)
	var o outcome
	resp, err := read(r, &http.Request{Method: method})
	if err != nil {
		return outcome{Err: err.Error()}
	}
	body, err := io.ReadAll(resp.Body)
	if o.Body = string(body); err != nil {
		o.BodyErr = err.Error()
	}
	resp.Body, resp.Request = nil, nil
	o.Response, o.Trailer = resp, resp.Trailer
	rest, _ := io.ReadAll(r)
	o.Remaining = string(rest)
	return o
}

// asNetHTTP checks that an answer is read as net/http reads it, in whatever pieces it comes.
func asNetHTTP(t *testing.T, raw string) {
	t.Helper()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
		want := outcomeOf(strings.NewReader(raw), method, http.ReadResponse)
		for name, from := range map[string]io.Reader{
			"whole": strings.NewReader(raw), "halves": iotest.HalfReader(strings.NewReader(raw)), "bytes": iotest.OneByteReader(strings.NewReader(raw)),
			"end with the data": iotest.DataErrReader(strings.NewReader(raw)),
		} {
			if diff := cmp.Diff(want, outcomeOf(from, method, readResponse)); diff != "" {
				t.Errorf("%s, %s: %q (-net/http +ours)\n%s", method, name, raw, diff)
			}
		}
	}
}

func TestAnswersAreReadAsNetHTTPDoes(t *testing.T) {
	t.Parallel()
	for _, a := range answers {
		asNetHTTP(t, a.raw)
		if resp, _ := plain([]byte(a.raw)); (resp != nil) != a.usual {
			t.Errorf("%s: usual: %v", a.name, resp != nil)
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, a := range answers {
		f.Add(a.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) { asNetHTTP(t, raw) })
}
