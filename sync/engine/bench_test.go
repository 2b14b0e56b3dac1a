package engine_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/stream"
)

// simulatorVariable marks a process that was started to be the vendor of a benchmark: what the vendor costs must not
// count as ours.
const simulatorVariable = "ORDERSYNC_BENCH_SIMULATOR"

var benchAccount = simulator.Options{Seed: 1, Orders: 20_000, From: start, To: start.AddDate(0, 0, 30)}

// serveBenchmark is the body of such a process. It ends when its standard input is closed.
func serveBenchmark() {
	o := benchAccount
	var latency string
	var days int
	if _, err := fmt.Sscan(os.Getenv(simulatorVariable), &latency, &o.Orders, &days); err != nil {
		panic(err)
	}
	o.To = o.From.AddDate(0, 0, days)
	var err error
	if o.Latency.Fixed, err = time.ParseDuration(latency); err != nil {
		panic(err)
	}
	server := simulator.New(simulator.NewAccount(o))
	if err := server.Start("127.0.0.1:0"); err != nil {
		panic(err)
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = server.Close()
}

func startSimulator(b *testing.B, latency time.Duration, orders, days int) (endpoint string) {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", simulatorVariable, latency, orders, days))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// BenchmarkBackfill compares the whole pipeline (signing, retries, decoding, ledger, a real ClickHouse) with bare
// net/http workers that fetch the same pages and details and throw them away. Both share the machine with the vendor
// and, the pipeline, with ClickHouse. Reported: orders a second of both, their ratio, and for an order the CPU time and the
// allocations of this process, of both, and the CPU time of ClickHouse.
func BenchmarkBackfill(b *testing.B) {
	for _, c := range []struct {
		latency  time.Duration
		inFlight int
	}{{0, 32}, {20 * time.Millisecond, 32}, {20 * time.Millisecond, 256}} {
		b.Run(fmt.Sprintf("latency=%s/inflight=%d", c.latency, c.inFlight), func(b *testing.B) {
			endpoint := startSimulator(b, c.latency, benchAccount.Orders, 30)
			account := simulator.NewAccount(benchAccount)
			var bare, ours cost
			var server time.Duration
			for b.Loop() {
				bare.add(bareFetch(b, endpoint, account, c.inFlight))
				used, at := pipeline(b, endpoint, c.inFlight)
				ours.add(used)
				server += at
			}
			orders := float64(account.Len() * b.N)
			b.ReportMetric(orders/bare.wall.Seconds(), "bare-orders/s")
			b.ReportMetric(orders/ours.wall.Seconds(), "orders/s")
			b.ReportMetric(bare.wall.Seconds()/ours.wall.Seconds(), "ratio")
			b.ReportMetric(ours.cpu.Seconds()*1e6/orders, "cpu-µs/order")
			b.ReportMetric(bare.cpu.Seconds()*1e6/orders, "bare-cpu-µs/order")
			b.ReportMetric(server.Seconds()*1e6/orders, "clickhouse-cpu-µs/order")
			b.ReportMetric(float64(ours.allocs)/orders, "allocs/order")
			b.ReportMetric(float64(bare.allocs)/orders, "bare-allocs/order")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkMemory measures the peak of this process's memory, where neither ClickHouse nor the vendor is, in backfills of
// a year of 10,000 to 1,000,000 orders, of one account or of 20 side by side.
func BenchmarkMemory(b *testing.B) {
	const days = 365
	for _, c := range []struct{ orders, accounts int }{{10_000, 1}, {100_000, 1}, {1_000_000, 1}, {500, 20}, {5_000, 20}, {50_000, 20}} {
		b.Run(fmt.Sprintf("orders=%d/accounts=%d", c.orders*c.accounts, c.accounts), func(b *testing.B) {
			endpoint := startSimulator(b, 0, c.orders, days)
			to := benchAccount.From.AddDate(0, 0, days)
			for b.Loop() {
				engines := make([]*engine.Engine, c.accounts)
				s := benchSink(b)
				for i := range engines { // a budget takes memory by its quota
					engines[i] = benchEngine(b, s, fmt.Sprint("account", i), endpoint, 256/c.accounts, float64(20_000/c.accounts), nil, c.accounts)
				}
				debug.FreeOSMemory()
				if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
					b.Fatal(err)
				}
				var all sync.WaitGroup
				for _, e := range engines {
					all.Go(func() {
						if sum, err := e.Backfill(b.Context(), to.Add(24*time.Hour), benchAccount.From, to, false, nil); err != nil || sum.Err() != nil {
							b.Error(err, sum.Err())
						}
					})
				}
				all.Wait()
				b.ReportMetric(peakRSS(b), "peak-MiB")
			}
		})
	}
}

// peakRSS is the most memory that this process had, in MiB.
func peakRSS(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// cost is what a piece of work took: time, and of this process CPU time and allocations.
type cost struct {
	wall, cpu time.Duration
	allocs    uint64
}

func (c *cost) add(o cost) {
	c.wall += o.wall
	c.cpu += o.cpu
	c.allocs += o.allocs
}

func measure(work func()) cost {
	var before, after runtime.MemStats
	runtime.GC() // what was thrown away before is not this work's to collect
	runtime.ReadMemStats(&before)
	cpu, began := processCPU(), time.Now()
	work()
	c := cost{wall: time.Since(began), cpu: processCPU() - cpu}
	runtime.ReadMemStats(&after)
	c.allocs = after.Mallocs - before.Mallocs
	return c
}

// BenchmarkQuota measures how much of a quota of 10 and 10 calls a second a backfill uses, in its first minute, in that
// without the first ten seconds, and in the two minutes after it, and what share of its calls is throttled: alone, and
// beside another client that takes half of the quota, of which there is half to use then.
func BenchmarkQuota(b *testing.B) {
	const quota = 10
	for name, others := range map[string]float64{"alone": 0, "shared": quota / 2} {
		b.Run(name, func(b *testing.B) {
			o := benchAccount
			o.Quota = simulator.Quota{List: quota, Detail: quota}
			server := simulator.New(simulator.NewAccount(o))
			if err := server.Start("127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			for b.Loop() {
				var details, throttled, all atomic.Int64
				e := benchEngine(b, benchSink(b), "main", server.URL(), 20, quota, func(api string, reason source.Reason, _ time.Duration) {
					all.Add(1)
					switch {
					case reason == source.Throttled:
						throttled.Add(1)
					case api == "detail":
						details.Add(1)
					}
				}, 1)
				ctx, cancel := context.WithCancel(b.Context())
				var running sync.WaitGroup
				running.Go(func() { _, _ = e.Backfill(ctx, benchAccount.To, benchAccount.From, benchAccount.To, false, nil) })
				if others > 0 {
					running.Go(func() { takeQuota(ctx, b, server.URL(), others) })
				}
				type counts struct{ details, throttled, all int64 }
				after := func(d time.Duration) counts {
					time.Sleep(d)
					return counts{details.Load(), throttled.Load(), all.Load()}
				}
				report := func(from, to counts, seconds float64, when string) {
					b.ReportMetric(float64(to.details-from.details)/((quota-others)*seconds), "quota-used"+when)
					b.ReportMetric(100*float64(to.throttled-from.throttled)/float64(to.all-from.all), "throttled-%"+when)
				}
				early := after(10 * time.Second)
				minute := after(50 * time.Second)
				report(counts{}, minute, 60, "")
				report(early, minute, 50, "-after-10s")
				report(minute, after(2*time.Minute), 120, "-after-1m")
				cancel()
				running.Wait()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// takeQuota is another program that uses the same account: so many calls a second of each kind, whatever comes of them.
func takeQuota(ctx context.Context, b *testing.B, endpoint string, perSecond float64) {
	client := benchClient(b, endpoint, 4)
	tick := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = client.Detail(ctx, "", "1")
			_, _ = client.List(ctx, source.Query{Start: benchAccount.From, End: benchAccount.To})
		case <-ctx.Done():
			return
		}
	}
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchClient(b *testing.B, endpoint string, inFlight int) *bss.Client {
	b.Helper()
	client, err := bss.New(bss.Options{Options: source.Options{Account: "main", Endpoint: endpoint, MaxInFlight: 2 * inFlight}, Credentials: bss.Credentials{
		AccessKeyID: "testid", AccessKeySecret: "testsecret",
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client
}

// benchSink opens an empty warehouse.
func benchSink(b *testing.B) *sink.Sink {
	b.Helper()
	addr, database := sinktest.Database(b)
	s, err := sink.Open(b.Context(), sink.Config{Addr: []string{addr}, Database: database})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func benchEngine(b *testing.B, s *sink.Sink, account, endpoint string, inFlight int, quota float64, observe source.Observer, engines int) *engine.Engine {
	b.Helper()
	caller := source.NewCaller(benchClient(b, endpoint, inFlight), source.NewBudget(quota), source.NewBudget(quota), source.DefaultPolicy, observe)
	return engine.New(s, []stream.Stream{{Stream: schema.Stream{Source: bss.Vendor, Account: account}, Source: caller, PageSize: 20, InFlight: inFlight}},
		engine.Options{Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Engines: engines})
}

// pipeline is a backfill of everything. It also returns the CPU time that ClickHouse took meanwhile.
func pipeline(b *testing.B, endpoint string, inFlight int) (used cost, server time.Duration) {
	s := benchSink(b)
	e := benchEngine(b, s, "main", endpoint, inFlight, 100_000, nil, 1)
	before := serverCPU(b, s)
	used = measure(func() {
		sum, err := e.Backfill(b.Context(), benchAccount.To.Add(24*time.Hour), benchAccount.From, benchAccount.To, false, nil)
		if err != nil || sum.Err() != nil {
			b.Fatal(err, sum.Err())
		}
	})
	return used, serverCPU(b, s) - before
}

// BenchmarkItemHistory measures what keeping every state of the line items takes: bytes of disk for a state, once all is merged,
// and how many times as much CPU time of ClickHouse a backfill takes as one that keeps none.
func BenchmarkItemHistory(b *testing.B) {
	endpoint := startSimulator(b, 0, benchAccount.Orders, 30)
	for b.Loop() {
		var server [2]time.Duration
		for i, without := range []string{"SELECT 1", "DROP VIEW order_item_versions_feed"} {
			s := benchSink(b)
			e := benchEngine(b, s, "main", endpoint, 32, 100_000, nil, 1)
			if err := s.Conn().Exec(b.Context(), without); err != nil {
				b.Fatal(err)
			}
			before := serverCPU(b, s)
			sum, err := e.Backfill(b.Context(), benchAccount.To.Add(24*time.Hour), benchAccount.From, benchAccount.To, false, nil)
			if err != nil || sum.Err() != nil {
				b.Fatal(err, sum.Err())
			}
			server[i] = serverCPU(b, s) - before
			if err := s.Conn().Exec(b.Context(), "OPTIMIZE TABLE order_item_versions FINAL"); err != nil {
				b.Fatal(err)
			}
			var bytes, states uint64
			if err := s.Conn().QueryRow(b.Context(), `SELECT sum(bytes_on_disk), sum(rows) FROM system.parts
				WHERE active AND database = currentDatabase() AND table = 'order_item_versions'`).Scan(&bytes, &states); err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				b.ReportMetric(float64(bytes)/float64(states), "B/state")
			} else if states > 0 {
				b.Fatalf("%d states were kept", states)
			}
		}
		b.ReportMetric(server[0].Seconds()/server[1].Seconds(), "clickhouse-cpu-ratio")
	}
}

// serverCPU is the CPU time of ClickHouse so far, merges included.
func serverCPU(b *testing.B, s *sink.Sink) time.Duration {
	var us uint64
	err := s.Conn().QueryRow(b.Context(), "SELECT sum(value) FROM system.events WHERE event IN ('UserTimeMicroseconds', 'SystemTimeMicroseconds')").Scan(&us)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(us) * time.Microsecond
}

// bareFetch fetches every page of every day and every detail with requests that were signed before.
func bareFetch(b *testing.B, endpoint string, a *simulator.Account, workers int) cost {
	var requests []*http.Request
	for day := benchAccount.From; day.Before(benchAccount.To); day = day.AddDate(0, 0, 1) {
		n := len(a.IDs(day, day.AddDate(0, 0, 1)))
		for page := range (n + 19) / 20 {
			requests = append(requests, signed(b, endpoint, "QueryOrders", url.Values{
				"CreateTimeStart": {day.Format(time.RFC3339)}, "CreateTimeEnd": {day.AddDate(0, 0, 1).Add(-time.Second).Format(time.RFC3339)},
				"PageNum": {fmt.Sprint(page + 1)}, "PageSize": {"20"},
			}))
		}
	}
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		requests = append(requests, signed(b, endpoint, "GetOrderDetail", url.Values{"OrderId": {id}}))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	return measure(func() {
		queue := make(chan *http.Request)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for r := range queue {
					resp, err := client.Do(r)
					if err != nil {
						b.Error(err)
						continue
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						b.Errorf("%s", resp.Status)
					}
				}
			})
		}
		for _, r := range requests {
			queue <- r
		}
		close(queue)
		wg.Wait()
	})
}

// signed makes a request as the vendor's documents say (ACS3-HMAC-SHA256), without our client.
func signed(b *testing.B, endpoint, action string, query url.Values) *http.Request {
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, endpoint+"/?"+encoded, nil)
	if err != nil {
		b.Fatal(err)
	}
	empty := sha256.Sum256(nil)
	nonce++
	headers := []struct{ name, value string }{
		{"host", r.URL.Host}, {"x-acs-action", action}, {"x-acs-content-sha256", hex.EncodeToString(empty[:])},
		{"x-acs-date", time.Now().UTC().Format(time.RFC3339)}, {"x-acs-signature-nonce", fmt.Sprintf("%032d", nonce)}, {"x-acs-version", "2017-12-14"},
	}
	var canonical, names strings.Builder
	fmt.Fprintf(&canonical, "POST\n/\n%s\n", encoded)
	for i, h := range headers {
		fmt.Fprintf(&canonical, "%s:%s\n", h.name, h.value)
		if i > 0 {
			names.WriteByte(';')
			r.Header.Set(h.name, h.value)
		}
		names.WriteString(h.name)
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", names.String(), hex.EncodeToString(empty[:]))
	sum := sha256.Sum256([]byte(canonical.String()))
	mac := hmac.New(sha256.New, []byte("testsecret"))
	fmt.Fprintf(mac, "ACS3-HMAC-SHA256\n%s", hex.EncodeToString(sum[:]))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=%s,Signature=%s", names.String(), hex.EncodeToString(mac.Sum(nil))))
	return r
}

var nonce = time.Now().UnixNano()
