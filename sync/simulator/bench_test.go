package simulator

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func benchAccount(n int) *Account {
	to := day.AddDate(0, 0, 90)
	return NewAccount(Options{Seed: 1, Orders: n, From: day, To: to, Now: fixedClock(to)})
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		benchAccount(20_000)
	}
}

func BenchmarkTruth(b *testing.B) {
	a := benchAccount(20_000)
	for b.Loop() {
		a.Truth(time.Time{}, time.Time{})
	}
}

// discard is a writer that costs nothing, so that the benchmark is the handler's own work: signature, data and JSON.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// handle measures signed requests, made beforehand in batches because a nonce works once.
func handle(b *testing.B, make func(i int) *http.Request, s http.Handler) {
	const batch = 1000
	var ready []*http.Request
	w := discard{http.Header{}}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if len(ready) == 0 {
			b.StopTimer()
			for range batch {
				ready = append(ready, make(i))
				i++
			}
			b.StartTimer()
		}
		s.ServeHTTP(w, ready[len(ready)-1])
		ready = ready[:len(ready)-1]
	}
}

func BenchmarkPage(b *testing.B) {
	a := benchAccount(20_000)
	handle(b, func(i int) *http.Request {
		from := day.Add(time.Duration(i%2000) * time.Hour)
		return signed(a, "", "QueryOrders", map[string][]string{
			"CreateTimeStart": {stamp(from)}, "CreateTimeEnd": {stamp(from.Add(48 * time.Hour))}, "PageNum": {"1"}, "PageSize": {"20"},
		})
	}, New(a))
}

func BenchmarkDetail(b *testing.B) {
	a := benchAccount(20_000)
	all := a.IDs(time.Time{}, time.Time{})
	handle(b, func(i int) *http.Request {
		return signed(a, "", "GetOrderDetail", map[string][]string{"OrderId": {all[i%len(all)]}})
	}, New(a))
}

// The same without signature and routing: data and JSON alone.
func BenchmarkRenderPage(b *testing.B) {
	a := benchAccount(20_000)
	c := call{account: a, data: a, requestID: requestID(1)}
	c.question.Page, c.question.Size = 1, 20
	c.question.Start, c.question.End = a.o.From, a.o.To
	var buf []byte
	for b.Loop() {
		buf = answerList(&c, buf[:0])
		c.question.Page = c.question.Page%1000 + 1
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkRenderDetail(b *testing.B) {
	a := benchAccount(20_000)
	all := a.IDs(time.Time{}, time.Time{})
	c := call{account: a, data: a, requestID: requestID(1)}
	var buf []byte
	i := 0
	for b.Loop() {
		c.question.OrderID = all[i%len(all)]
		buf = answerDetail(&c, buf[:0])
		i++
	}
}

// Over a real connection, with the client's cost in it.
func BenchmarkNetwork(b *testing.B) {
	a := benchAccount(20_000)
	s := start(b, a)
	all := a.IDs(time.Time{}, time.Time{})
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer c.CloseIdleConnections()
	i := 0
	for b.Loop() {
		r := signed(a, s.URL(), "GetOrderDetail", map[string][]string{"OrderId": {all[i%len(all)]}})
		res, err := c.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		w := httptest.NewRecorder()
		w.Body.ReadFrom(res.Body)
		res.Body.Close()
		i++
	}
}
