package simulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// day is the test accounts' usual start.
var day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// fixedClock is a clock that stands still.
func fixedClock(t time.Time) func() time.Time { return func() time.Time { return t } }

// testAccount is a week of orders; the clock stands at its end.
func testAccount(orders int, change ...func(*Options)) *Account {
	o := Options{Seed: 7, Orders: orders, From: day, To: day.AddDate(0, 0, 20)}
	for _, c := range change {
		c(&o)
	}
	if o.Now == nil {
		o.Now = fixedClock(o.To)
	}
	return NewAccount(o)
}

var nonceCount atomic.Int64

// signed builds a request as the vendor's SDK sends it, and signs it after change has had its way with it.
func signed(a *Account, base, action string, args url.Values, change ...func(*http.Request)) *http.Request {
	r, err := http.NewRequest("POST", base+"/?"+args.Encode(), nil)
	if err != nil {
		panic(err)
	}
	if base == "" {
		r = httptest.NewRequest("POST", "/?"+args.Encode(), nil)
	}
	empty := sha256.Sum256(nil)
	for k, v := range map[string]string{
		"X-Acs-Action": action, "X-Acs-Version": "2017-12-14", "X-Acs-Date": a.o.Now().UTC().Format(timeLayout),
		"X-Acs-Signature-Nonce": fmt.Sprint("nonce-", nonceCount.Add(1)), "X-Acs-Content-Sha256": hex.EncodeToString(empty[:]),
	} {
		r.Header.Set(k, v)
	}
	for _, c := range change {
		c(r)
	}
	sign(r, a.o.AccessKeyID, a.o.AccessKeySecret)
	return r
}

func sign(r *http.Request, id, secret string) {
	const names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	var b strings.Builder
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), query)
	for name := range strings.SplitSeq(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&b, "%s:%s\n", name, value)
	}
	fmt.Fprintf(&b, "\n%s\n%s", names, r.Header.Get("X-Acs-Content-Sha256"))
	canonical := sha256.Sum256([]byte(b.String()))
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "ACS3-HMAC-SHA256\n%x", canonical)
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", id, names, h.Sum(nil)))
}

// reply is a decoded answer.
type reply struct {
	status int
	header http.Header
	raw    []byte
	Code, Message, RequestId,
	HostId, Recommend string
	Success bool
	Data    struct {
		HostName                      string
		PageNum, PageSize, TotalCount int
		OrderList                     *struct{ Order []map[string]any }
	}
}

func (r *reply) rows() []map[string]any {
	if r.Data.OrderList == nil {
		return nil
	}
	return r.Data.OrderList.Order
}

func decode(t testing.TB, status int, header http.Header, body []byte) *reply {
	t.Helper()
	r := &reply{status: status, header: header, raw: body}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(r); err != nil {
		t.Fatalf("the body is not JSON: %v\n%s", err, body)
	}
	return r
}

// ask puts a request to the handler without a network.
func ask(t testing.TB, s http.Handler, r *http.Request) *reply {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return decode(t, w.Code, w.Header(), w.Body.Bytes())
}

// call asks the handler for an action with arguments given as name, value, name, value…
func callAPI(t testing.TB, s http.Handler, a *Account, action string, args ...string) *reply {
	t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(args); i += 2 {
		v.Set(args[i], args[i+1])
	}
	return ask(t, s, signed(a, "", action, v))
}

// list reads all pages of a range.
func list(t testing.TB, s http.Handler, a *Account, from, to time.Time, args ...string) (rows []map[string]any) {
	t.Helper()
	for page := 1; ; page++ {
		r := callAPI(t, s, a, "QueryOrders", append([]string{
			"CreateTimeStart", from.Format(timeLayout), "CreateTimeEnd", to.Format(timeLayout),
			"PageNum", strconv.Itoa(page), "PageSize", "100",
		}, args...)...)
		if r.status != 200 || r.Code != "Success" || !r.Success {
			t.Fatalf("page %d: %d %s", page, r.status, r.raw)
		}
		rows = append(rows, r.rows()...)
		if len(rows) >= r.Data.TotalCount || len(r.rows()) == 0 {
			if len(rows) != r.Data.TotalCount {
				t.Fatalf("%d rows, TotalCount %d", len(rows), r.Data.TotalCount)
			}
			return rows
		}
	}
}

// start serves an account on a listener for the test's duration.
func start(t testing.TB, accounts ...*Account) *Server {
	t.Helper()
	s := New(accounts...)
	if err := s.Start(":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fetch sends a request over the network.
func fetch(r *http.Request) (int, http.Header, []byte, error) {
	return fetchWith(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, r)
}

func fetchWith(c *http.Client, r *http.Request) (int, http.Header, []byte, error) {
	res, err := c.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, body, err
}

func ids(rows []map[string]any) (ids []string) {
	for _, r := range rows {
		ids = append(ids, r["OrderId"].(string))
	}
	return ids
}
