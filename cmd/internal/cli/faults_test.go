package cli_test

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// tags are what a browser does not show as text.
var tags = regexp.MustCompile(`<[^>]*>`)

// surfaces are all that is said of how everything stands, as text: by the daemon at a URL, where there is one, and without it.
func (w *world) surfaces(code int, url string) map[string]string {
	w.t.Helper()
	out := map[string]string{"status": w.run(code, "status").out, "status --json": w.run(code, "status", "--json").out}
	if url != "" {
		maps.Copy(out, served(w.t, url))
	}
	return out
}

// served is what a daemon says at its URL, as text.
func served(t *testing.T, url string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, path := range []string{"/", "/api/status"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[path] = html.UnescapeString(tags.ReplaceAllString(string(body), ""))
	}
	return out
}

// daemon starts the daemon, waits until n runs have ended and are recorded, and returns its URL.
func (w *world) daemon(n int) (*process, string) {
	w.t.Helper()
	p, url := w.serve()
	for range n + 1 { // of the last one nothing is recorded when its line is written
		p.wait(`"msg":"tick"`)
	}
	return p, url
}

// fail makes each call of some kind be answered in this way.
func fail(a simulator.Action, detail bool) simulator.Fault {
	return func(r simulator.FaultRequest) simulator.Action {
		if detail != (r.OrderID != "") {
			return simulator.Action{}
		}
		return a
	}
}

// Whatever goes wrong, all surfaces say its cause in the words of who refused, with what cures it, and no surface a symptom
// in its place or a cure that would not help.
func TestFaultsOnAllSurfaces(t *testing.T) {
	t.Parallel()
	away := simulator.Action{Error: &simulator.Error{Status: 503, Code: "ServiceUnavailable", Message: "The request has failed due to a temporary failure."}}
	for name, c := range map[string]struct {
		arrange func(w *world) (url string)
		says    []string
		never   []string
		well    bool
	}{
		"secret": {
			arrange: func(w *world) string {
				w.configureAgain("${TEST_SECRET}", "another")
				_, url := w.daemon(1)
				return url
			},
			says:  []string{"stopped", "SignatureDoesNotMatch", "[request ", "secret does not belong to the AccessKey id", "never synced"},
			never: []string{"ordersync backfill --from …", "all is well"},
		},
		"away": {
			arrange: func(w *world) string {
				w.run(0, "backfill", "--from", "-4h")
				w.account.SetFault(fail(away, false))
				_, url := w.daemon(1)
				return url
			},
			says:  []string{"failing", "HTTP 503", "ServiceUnavailable", "[request ", "every run tries again"},
			never: []string{"SELECT *", "--repair", "all is well", "is ordersync run running"},
		},
		"short": {
			arrange: func(w *world) string {
				w.account.SetFault(func(r simulator.FaultRequest) simulator.Action {
					if r.OrderID != "" {
						return simulator.Action{}
					}
					return simulator.Action{Total: func(n int) int { return n + 3 }}
				})
				_, url := w.daemon(1)
				return url
			},
			says:  []string{"failing", "windows between", "contradicted itself"},
			never: []string{"is ordersync run running", "no daemon", "all is well"},
		},
		"nobody": {
			arrange: func(w *world) string {
				w.run(0, "backfill", "--from", "-4h")
				return ""
			},
			says: []string{"no daemon keeps it", "ordersync run"}, never: []string{"is due in", "all is well"}, well: true,
		},
		"stopped": {
			arrange: func(w *world) string {
				p, _ := w.daemon(1)
				p.signal(syscall.SIGTERM)
				p.exit()
				return ""
			},
			says: []string{"stopped", "no daemon works on it any more", "was stopped", "ordersync run"}, never: []string{"is due in", "all is well"},
		},
		"killed": {
			arrange: func(w *world) string {
				p, _ := w.daemon(1)
				p.signal(syscall.SIGKILL)
				p.exit()
				// A minute passes for its claim.
				w.sql("CREATE TABLE later AS sync_leases")
				w.sql("INSERT INTO later SELECT * REPLACE (renewed_at - 60 AS renewed_at) FROM sync_leases")
				w.sql("EXCHANGE TABLES later AND sync_leases")
				w.sql("DROP TABLE later")
				return ""
			},
			says: []string{"stopped", "no daemon works on it any more", "ended without a word", "ordersync run"}, never: []string{"is due in", "all is well"},
		},
		"full": {
			arrange: func(w *world) string {
				w.sql("ALTER TABLE sync_window_rows ADD CONSTRAINT full CHECK 0")
				_, url := w.daemon(1)
				return url
			},
			says:  []string{"stopped", "code: 469", "its own log says more"},
			never: []string{"ordersync backfill --from …", "all is well"},
		},
		"clock": {
			arrange: func(w *world) string {
				w.run(0, "backfill", "--from", "-4h")
				w.account.SetClock(-3 * time.Minute)
				_, url := w.daemon(2)
				return url
			},
			says: []string{"the clock of the machine is", "ahead of the vendor's", "set the clock by NTP"}, never: []string{"all is well"},
		},
		"permission": {
			arrange: func(w *world) string {
				denied := &simulator.Error{Status: 403, Code: "NoPermission", Message: "You are not authorized."}
				w.account.SetFault(fail(simulator.Action{Error: denied}, true))
				_, url := w.daemon(1)
				return url
			},
			says: []string{"stopped", "GetOrderDetail", "NoPermission"}, never: []string{"all is well"},
		},
		"verification": {
			arrange: func(w *world) string {
				w.run(0, "backfill", "--from", "-4h")
				w.run(0, "verify")
				w.account.SetFault(fail(away, false))
				w.run(1, "verify")
				w.account.SetFault(nil)
				_, url := w.daemon(1)
				return url
			},
			says: []string{"was not finished", "HTTP 503", "ordersync verify"}, never: []string{"all is well"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60)
			w.configure()
			url := c.arrange(w)
			code := 1
			if c.well {
				code = 0
			}
			for surface, text := range w.surfaces(code, url) {
				text = strings.ReplaceAll(text, "not all is well", "")
				for _, part := range c.says {
					if !strings.Contains(strings.ReplaceAll(text, "`", ""), part) {
						t.Errorf("%s: %q is not in:\n%s", surface, part, excerpt(text))
					}
				}
				for _, part := range c.never {
					if strings.Contains(strings.ReplaceAll(text, "`", ""), part) {
						t.Errorf("%s: %q is in:\n%s", surface, part, excerpt(text))
					}
				}
			}
		})
	}
}

// excerpt is the beginning of a text, after the styles of a page: the maps are long.
func excerpt(text string) string {
	_, after, found := strings.Cut(text, "What is wrong")
	if found {
		text = after
	}
	return text[:min(len(text), 2000)]
}

// One account that is well hides none that is not.
func TestOneHealthyAndTwoNeverWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	account := func(name, secret string) string {
		return fmt.Sprintf("name: %s\n    source: bss\n    endpoint: %s\n    credentials: {access_key_id: testid, access_key_secret: %q}\n    quota: {list: 1000, detail: 1000}\n", name, w.url, secret)
	}
	w.configure("name: main", strings.TrimSpace(account("b", "another")+"  - "+account("c", "another")+"  - name: a"))
	_, url := w.daemon(3)
	for surface, text := range w.surfaces(1, url) {
		contains(t, text, "SignatureDoesNotMatch")
		if surface == "status" {
			if !regexp.MustCompile(`(?s)account +state.*\nb +stopped +\S+ +never .*\nc +stopped +\S+ +never .*\na +ok `).MatchString(text) {
				t.Errorf("not the worst first:\n%s", text)
			}
		}
	}
}
