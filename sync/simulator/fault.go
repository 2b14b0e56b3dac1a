package simulator

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault decides what goes wrong with a call. It sees every call that passed signature, permission and quota, is called
// from many goroutines at once, and answers with the zero Action where the call is to be served as usual.
type Fault func(FaultRequest) Action

// FaultRequest is the call that a Fault decides about.
type FaultRequest struct {
	API     string // "QueryOrders"
	Version string
	Account string // access key id
	Number  int    // of the call, from 1, by account and API
	OwnerID string // or the member account
	OrderID string // of a detail, or to be cancelled
	// Page, Size, Start, End and PaymentStatus are the question of a listing.
	Page, Size    int
	Start, End    time.Time
	PaymentStatus string
}

// Action is what a Fault does. Fields work together where that makes sense: first Delay, then an answer (Error, or
// Status and Body, or the usual one with PageSize, Shift, Drop, Row, Total and Rewrite), then the way it is sent
// (Truncate, Reset, Drip).
type Action struct {
	Delay time.Duration // wait before anything else
	Hang  bool          // never answer: until the client goes away or the server closes

	Error  *Error // answer with the vendor's form of this error
	Status int    // with Body and Header: answer with exactly this, for example a proxy's HTML
	Body   string
	Header http.Header // added to any answer

	PageSize       int  // a listing has at most so many rows a page, 0 for as many as are asked for
	PageSizeHidden bool // and PageSize in the answer is what was asked for all the same
	Shift          int  // a page after the first begins so many rows early, or late where it is negative

	Drop    func(row int) bool       // leave out rows of the page (or lines of a detail), counted from 0
	Row     AlterRow                 // alter the rows (or lines) that are left
	Total   func(total int) int      // alter TotalCount
	Rewrite func(body []byte) []byte // alter the body as a whole

	// Truncate sends only the first bytes of the body, 0 for all. The answer is whole HTTP all the same; with Reset it
	// announces the full length and the connection breaks in the middle.
	Truncate int
	Reset    bool // reset the connection: instead of an answer, or after Truncate bytes of it
	Drip     Drip
}

// AlterRow returns what is sent instead of a row of a listing or a line of a detail: it must be JSON. It is told the
// order's id and which row of the page it is, counted from 0. The bytes are its own.
type AlterRow func(orderID string, n int, row []byte) []byte

// Drip sends the body slowly: Bytes at a time (1 if 0), and Every between them.
type Drip struct {
	Bytes int
	Every time.Duration
}

// EmptyPage drops every row and leaves TotalCount: a real gateway was seen to answer so.
func EmptyPage() Action { return Action{Drop: func(int) bool { return true }} }

// ShortPage keeps only the first rows and leaves TotalCount.
func ShortPage(rows int) Action { return Action{Drop: func(i int) bool { return i >= rows }} }

// none reports whether the action leaves the call alone.
func (f *Action) none() bool {
	return f.Delay == 0 && !f.Hang && f.Error == nil && f.Status == 0 && f.Header == nil && f.PageSize == 0 &&
		f.Shift == 0 && f.Drop == nil && f.Row == nil && f.Total == nil && f.Rewrite == nil && f.Truncate == 0 &&
		!f.Reset && f.Drip == Drip{}
}

// send writes an answer in the way the action says. The call is counted before its first byte leaves, so that a client
// that has the answer finds it counted.
func (s *Server) send(x *exchange, status int, body []byte, f *Action, result outcome) {
	h := x.w.Header()
	h["Content-Type"] = x.contentType()
	for k, v := range f.Header {
		h[k] = v
	}
	if f.Rewrite != nil {
		body = f.Rewrite(body)
	}
	length := len(body)
	if f.Reset || f.Truncate > 0 && f.Truncate < length {
		body, result = body[:min(f.Truncate, length)], outcomeFailed
	}
	x.settle(result)
	if f.Reset {
		s.breakConnection(x, status, body, length)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	if f.Drip != (Drip{}) {
		s.drip(x, body, f.Drip)
		return
	}
	x.w.Write(body)
}

var (
	contentJSON = []string{"application/json;charset=utf-8"}
	contentXML  = []string{"text/xml;charset=utf-8"}
)

func (x *exchange) contentType() []string {
	if x.xml {
		return contentXML
	}
	return contentJSON
}

// drip writes slowly, until the client goes away or the server closes.
func (s *Server) drip(x *exchange, body []byte, d Drip) {
	flush := http.NewResponseController(x.w)
	step := max(1, d.Bytes)
	for i := 0; i < len(body); i += step {
		if i > 0 && !s.pause(x, d.Every) {
			panic(http.ErrAbortHandler)
		}
		if _, err := x.w.Write(body[i:min(i+step, len(body))]); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// breakConnection sends the start of an answer, if there is one, and then resets the TCP connection. Without a
// connection to take over (a test's recorder, HTTP/2) the request is aborted instead.
func (s *Server) breakConnection(x *exchange, status int, part []byte, length int) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(part) > 0 {
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			status, http.StatusText(status), x.contentType()[0], length, part)
		// A reset overtakes what the kernel has not sent yet, so the part gets a moment to leave.
		s.pause(x, 5*time.Millisecond)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// pause waits; it reports false where the client went away or the server closed meanwhile.
func (s *Server) pause(x *exchange, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
	case <-x.done:
	}
	return false
}
