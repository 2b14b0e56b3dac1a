package web_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/cmd/internal/web"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// browserVariable decides about the tests in a browser: "require" makes them fail where there is none, "skip" leaves them
// out; unset, they are skipped where there is none.
const browserVariable = "ORDERSYNC_TEST_BROWSER"

// tab opens a tab in a headless Chromium of the test's own.
func tab(t *testing.T) context.Context {
	t.Helper()
	choice := os.Getenv(browserVariable)
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	switch {
	case choice == "skip", choice == "" && program == "":
		t.Skipf("no browser: apt-get install chromium (%s=require makes this a failure)", browserVariable)
	case program == "":
		t.Fatalf("%s=require, and there is no browser: apt-get install chromium", browserVariable)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	do(t, ctx)
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval asks the page.
func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// colours sets whether the reader prefers light or dark.
func colours(t *testing.T, ctx context.Context, scheme string) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// site serves the status page over a ledger of complete hours, of the last days.
type site struct {
	*web.Server
	sink *sink.Sink
	now  time.Time
}

var stream = schema.Stream{Source: "bss", Account: "a-very-long-name-of-an-account-without-any-break", OwnerID: "1234567890123456"}

func newSite(t *testing.T) *site {
	t.Helper()
	addr, database := warehousetest.Database(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(13*time.Hour + 30*time.Minute) // the picture is the same at any time of day
	var b sink.Batch
	for at := now.AddDate(0, 0, -10).Truncate(time.Hour); at.Before(now.Add(-time.Hour)); at = at.Add(time.Hour) {
		b.Windows = append(b.Windows, schema.Window{Stream: stream, Start: at, End: at.Add(time.Hour), Verdict: schema.Complete, Version: 1})
	}
	b.Windows[20].Verdict, b.Windows[20].Error = schema.Failed, strings.Repeat("no-break", 60)
	for i := range 40 {
		b.Orders = append(b.Orders, schema.Order{Stream: stream, OrderID: string(rune('a' + i)), CreateTime: now.AddDate(0, 0, -i/2), FetchedAt: now,
			ProductCode: "a-product-with-a-long-name", Currency: "CNY", PaymentStatus: "Paid", Version: 1})
		o := b.Orders[i]
		b.Items = append(b.Items, schema.Item{Stream: stream, OrderID: o.OrderID, ItemID: o.OrderID, CreateTime: o.CreateTime, FetchedAt: now,
			ProductCode: o.ProductCode, Currency: o.Currency, PaymentStatus: o.PaymentStatus, Version: 1})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteRuns(t.Context(), []sink.Run{
		{ID: "1", Kind: sink.RunBackfill, State: sink.RunFailed, StartedAt: now.Add(-time.Hour), UpdatedAt: now, FinishedAt: now, Error: strings.Repeat("x", 200)},
		{ID: "2", Kind: sink.RunBackfill, State: sink.RunRunning, StartedAt: now.Add(-time.Hour), UpdatedAt: now, Planned: 10, Done: 2, Share: 0.5, EndsAt: now.Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	return &site{sink: s, now: now, Server: listen(t, web.Options{Status: func(ctx context.Context, q status.Query) (*status.Report, error) {
		r, err := status.Build(ctx, config.Default().Schedule, nil, s, now, q)
		if err == nil {
			r.Budgets = []status.Budget{{Account: stream.Account, API: "detail", Quota: 10, Rate: 7, Used: .5}}
		}
		return r, err
	}})}
}

// lose takes an hour out of the ledger.
func (s *site) lose(t *testing.T, hour time.Time) {
	t.Helper()
	if err := s.sink.Conn().Exec(t.Context(), "ALTER TABLE sync_window_rows DELETE WHERE window_start = ? SETTINGS mutations_sync = 2", hour); err != nil {
		t.Fatal(err)
	}
}

// cell is the selector of an hour.
func cell(hour time.Time) string {
	return `.map input[aria-label^="` + hour.Format("Mon 2006-01-02 15:04") + `"]`
}

// style is a computed style of the element that a selector names, or of what is shown after it.
func style(t *testing.T, ctx context.Context, selector, pseudo, property string) string {
	t.Helper()
	return eval[string](t, ctx, "getComputedStyle(document.querySelector('"+selector+"'), '"+pseudo+"').getPropertyValue('"+property+"')")
}

// A gap in the ledger turns its hour red, and the hour says why: to who points at it, taps it, or comes with the keyboard.
func TestGapIsRed(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	s := newSite(t)
	lost := s.now.AddDate(0, 0, -3).Truncate(time.Hour)
	s.lose(t, lost)
	hour, before := cell(lost), cell(lost.Add(-time.Hour))
	do(t, ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(s.URL()))
	if got := style(t, ctx, hour, "", "background-image"); !strings.Contains(got, "rgb(184, 20, 27)") {
		t.Errorf("the gap is %s", got)
	}
	if got := style(t, ctx, before, "", "background-color"); got != "rgb(63, 143, 98)" {
		t.Errorf("the complete hour before it is %s", got)
	}
	const why = `missing. The ledger has no window here.`
	says := func(selector string) bool {
		return strings.Contains(style(t, ctx, selector, "::after", "content"), why)
	}
	if says(hour) {
		t.Error("it says why before it was asked")
	}
	xy := eval[[]float64](t, ctx, `(() => { const e = document.querySelector('`+hour+`'); e.scrollIntoView({block: 'center'});
		const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`)
	do(t, ctx, chromedp.MouseEvent("mouseMoved", xy[0], xy[1]))
	if !says(hour) {
		t.Error("pointed at, it does not say why")
	}
	do(t, ctx, chromedp.MouseEvent("mouseMoved", 1, 1))
	if says(hour) {
		t.Error("it says why when the pointer has gone")
	}
	// By keyboard: the hours are one stop, and the arrows go through them.
	do(t, ctx, chromedp.Focus(chromedp.CSS(before)), chromedp.KeyEvent(kb.ArrowRight))
	if !says(hour) {
		t.Error("reached by keyboard, it does not say why")
	}
	do(t, ctx, chromedp.Navigate(s.URL()), chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch),
		chromedp.Tap(chromedp.CSS(hour)))
	if !says(hour) {
		t.Error("tapped, it does not say why")
	}
	if box := eval[[]float64](t, ctx, `[document.documentElement.scrollWidth, innerWidth]`); box[0] > box[1] {
		t.Errorf("what it says makes the page %v px wide on %v", box[0], box[1])
	}
}

// Everything is there without JavaScript; and nothing is loaded beside the page.
func TestPageWithoutJavaScript(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	s := newSite(t)
	s.lose(t, s.now.AddDate(0, 0, -3).Truncate(time.Hour))
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(s.URL()))
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of 1 need you", "What is wrong", "Coverage", "Running: backfill", "50 %", "done in 1h0m", "Failed runs", "slowed to 7.0/s", "Top products", "1 gap"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page:\n%s", want, text)
		}
	}
	_, page := get(t, s.URL())
	for _, never := range []string{"<script", "<link rel=\"stylesheet", " src=", "javascript:", "http-equiv=\"refresh\" content=\"0"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %s", never)
		}
	}
}

func TestPageOnAPhone(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	s := newSite(t)
	do(t, ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile), chromedp.Navigate(s.URL()))
	if wide := eval[float64](t, ctx, "document.documentElement.scrollWidth"); wide > 390 {
		t.Errorf("the page is %v px wide: %s", wide, eval[string](t, ctx,
			`[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 80)).slice(0, 5).join('\n')`))
	}
	if size := eval[[]float64](t, ctx, `(() => { const r = document.querySelector('.map input').getBoundingClientRect(); return [r.width, r.height] })()`); size[0] < 8 || size[1] < 14 {
		t.Errorf("an hour is %v px: too small for a finger", size)
	}
}

func TestDarkAndLight(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	s := newSite(t)
	seen := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		colours(t, ctx, scheme)
		do(t, ctx, chromedp.Navigate(s.URL()))
		seen[scheme] = style(t, ctx, "body", "", "background-color")
		if ink := style(t, ctx, "body", "", "color"); ink == seen[scheme] {
			t.Errorf("%s: %s on %s", scheme, ink, seen[scheme])
		}
	}
	if seen["light"] == seen["dark"] {
		t.Errorf("light and dark are both %s", seen["light"])
	}
}
