package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
)

var now = time.Date(2026, 11, 25, 14, 30, 0, 0, time.UTC)

func failing(says string) diagnosis.Diagnosis {
	since := now.Add(-25 * time.Minute)
	return diagnosis.Diagnosis{State: diagnosis.Failing, Since: &since, Cause: diagnosis.Vendor, Says: says, Effect: "orders since 13:00 are not here", Cure: "wait", Symptoms: []string{"behind by 2h0m"}}
}

var away = NewMessage("main", 1, 1, "", failing("HTTP 503 [request 1]"), now)

// post sends a message to a receiver that answers so, and returns what it got.
func post(t *testing.T, target config.Notify, answer string, codes ...int) (body map[string]any, query string, calls int64, err error) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := n.Add(1)
		text, _ := io.ReadAll(r.Body)
		body, query = map[string]any{}, r.URL.RawQuery
		if err := json.Unmarshal(text, &body); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s: %v", r.Method, text, err)
		}
		if len(codes) > 0 {
			w.WriteHeader(codes[min(int(i), len(codes))-1])
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	if target.URL == "" {
		target.URL = config.Secret(server.URL + "/send?access_token=the-key")
	}
	notifier := New(target)
	notifier.wait = time.Millisecond
	defer notifier.Close()
	err = notifier.Post(t.Context(), away)
	return body, query, n.Load(), err
}

// Each robot gets its format, over the wire, and a signature where it wants one.
func TestFormats(t *testing.T) {
	t.Parallel()
	body, _, _, err := post(t, config.Notify{Format: config.NotifyJSON}, "")
	if err != nil || body["account"] != "main" || body["state"] != "failing" || body["cause"] != "vendor" || body["says"] != "HTTP 503 [request 1]" || body["cure"] != "wait" ||
		body["since"] != "2026-11-25T14:05:00Z" {
		t.Errorf("%v, %v", body, err)
	}
	const text = "ordersync: main is failing since 14:05 (25m0s)\nHTTP 503 [request 1]; orders since 13:00 are not here; wait\nbehind by 2h0m"
	for format, c := range map[string]struct{ kind, in, answer string }{
		config.NotifyDingTalk: {"msgtype", "content", `{"errcode":0,"errmsg":"ok"}`},
		config.NotifyWeCom:    {"msgtype", "content", `{"errcode":0,"errmsg":"ok"}`},
		config.NotifyFeishu:   {"msg_type", "text", `{"code":0,"msg":"success"}`},
		config.NotifySlack:    {"", "text", "ok"},
	} {
		body, query, _, err := post(t, config.Notify{Format: format}, c.answer)
		where := body
		if inner, ok := body["text"].(map[string]any); ok {
			where = inner
		} else if inner, ok := body["content"].(map[string]any); ok {
			where = inner
		}
		if err != nil || where[c.in] != text || c.kind != "" && body[c.kind] != "text" || query != "access_token=the-key" {
			t.Errorf("%s: %v, %s, %v", format, body, query, err)
		}
	}
	_, query, _, err := post(t, config.Notify{Format: config.NotifyDingTalk, Secret: "SEC1"}, "{}")
	if err != nil || !strings.Contains(query, "access_token=the-key") || !strings.Contains(query, "timestamp=") || !strings.Contains(query, "sign=") {
		t.Errorf("%s, %v", query, err)
	}
	body, _, _, err = post(t, config.Notify{Format: config.NotifyFeishu, Secret: "SEC1"}, "{}")
	if stamp, ok := body["timestamp"].(string); err != nil || !ok || len(stamp) != 10 || body["sign"] == "" {
		t.Errorf("%v, %v", body, err)
	}
}

// The signatures are those of the vendors' own recipes, as computed by openssl.
func TestSignatures(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1700000000123)
	// printf '1700000000123\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
	if got, err := signDingTalk("https://oapi.dingtalk.com/robot/send?access_token=x", "SECabc", at); err != nil ||
		got != "https://oapi.dingtalk.com/robot/send?access_token=x&sign=IqXBU%2FaLfwMA3S%2FtDcfRmHx5vWHw9Y1aOgFLBr1Ti9w%3D&timestamp=1700000000123" {
		t.Errorf("%s, %v", got, err)
	}
	// printf '' | openssl dgst -sha256 -hmac "$(printf '1700000000\nSECabc')" -binary | base64
	if stamp, got := signFeishu("SECabc", at); stamp != "1700000000" || got != "XprR1de+0SSBnwWyU/4k6x2TL+Q2SJlM5NNEdAv7MWg=" {
		t.Errorf("%s, %s", stamp, got)
	}
}

// What may help is tried again, a few times; what does not is said at once, and no error has the address.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target config.Notify
		answer string
		codes  []int
		calls  int64
		says   string
	}{
		"a hiccup":         {config.Notify{Format: config.NotifyJSON}, "", []int{503, 429, 200}, 3, ""},
		"away":             {config.Notify{Format: config.NotifyJSON}, "sorry", []int{503}, tries, "HTTP 503: sorry"},
		"not found":        {config.Notify{Format: config.NotifyJSON}, "no", []int{404}, 1, "HTTP 404: no"},
		"a redirect":       {config.Notify{Format: config.NotifyJSON}, "", []int{302}, 1, "HTTP 302"},
		"a wrong sign":     {config.Notify{Format: config.NotifyDingTalk, Secret: "x"}, `{"errcode":310000,"errmsg":"sign not match"}`, nil, 1, "sign not match"},
		"a wrong robot":    {config.Notify{Format: config.NotifyFeishu}, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}`, nil, 1, "19001"},
		"nobody is there":  {config.Notify{Format: config.NotifyJSON, URL: "http://127.0.0.1:1/the-key"}, "", nil, 0, "refused"},
		"no such host":     {config.Notify{Format: config.NotifyJSON, URL: "http://the-key.invalid/the-key"}, "", nil, 0, ""},
		"not an address":   {config.Notify{Format: config.NotifyDingTalk, URL: "http://a b/the-key", Secret: "x"}, "", nil, 0, "not an address"},
		"not one, no sign": {config.Notify{Format: config.NotifyJSON, URL: "http://a b/the-key"}, "", nil, 0, "not an address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, calls, err := post(t, c.target, c.answer, c.codes...)
			if calls != c.calls {
				t.Errorf("%d calls", calls)
			}
			switch {
			case name == "a hiccup":
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "/the-key") || strings.Contains(err.Error(), "access_token"):
				t.Errorf("%v", err)
			}
		})
	}
}

// A message is worth sending where what is told differs from what is so, and has been so for a while.
func TestChanges(t *testing.T) {
	t.Parallel()
	c := Changes{Hold: 2 * time.Minute, Every: 10 * time.Minute}
	fine := diagnosis.Diagnosis{State: diagnosis.OK, Symptoms: []string{}}
	look := func(minute int, d diagnosis.Diagnosis) string {
		var out []string
		for _, m := range c.Of(now.Add(time.Duration(minute)*time.Minute), []Account{{"main", 1, 1, d}}) {
			out = append(out, string(m.Was)+">"+string(m.State))
		}
		return strings.Join(out, " ")
	}
	for i, x := range []struct {
		minute int
		d      diagnosis.Diagnosis
		want   string
	}{
		{0, fine, ""}, {3, fine, ""}, // well from the beginning
		{4, failing("HTTP 503 [request 1]"), ""}, {5, fine, ""}, // a hiccup
		{6, failing("HTTP 503 [request 2]"), ""}, {7, failing("HTTP 503 [request 3]"), ""}, {8, failing("HTTP 503 [request 4]"), ">failing"},
		{9, failing("HTTP 503 [request 5]"), ""}, {60, failing("HTTP 503 [request 6]"), ""}, // told once
		{61, failing("timeout"), ""}, {63, failing("timeout"), "failing>failing"},
		{64, fine, ""}, {67, fine, ""}, {73, fine, "failing>ok"}, // not twice within ten minutes
		{74, diagnosis.Diagnosis{State: diagnosis.Filling}, ""}, {100, fine, ""},
	} {
		if got := look(x.minute, x.d); got != x.want {
			t.Errorf("%d: after %d minutes %q instead of %q", i, x.minute, got, x.want)
		}
	}
	look(120, failing("x"))
	if got := look(123, failing("x")); got != "ok>failing" {
		t.Fatalf("%q", got)
	}
	c.Lost(Message{Account: "main"})
	if got := look(124, failing("x")) + look(134, failing("x")); got != "failing>failing" {
		t.Errorf("what was lost is told again as %q", got)
	}
	if m := NewMessage("main", 3, 300, diagnosis.Failing, fine, now); m.Text != "ordersync: main (3 of 300) is ok, after failing" {
		t.Error(m.Text)
	}
}

// A text that is too long for a robot is cut between two characters.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	n := New(config.Notify{Format: config.NotifyWeCom, URL: "http://h"})
	_, body, err := n.request(NewMessage("main", 1, 1, "", failing(strings.Repeat("订", 3000)), now), now)
	var v struct{ Text struct{ Content string } }
	if err := json.Unmarshal(body, &v); err != nil || len(v.Text.Content) > 2048 || !strings.HasSuffix(v.Text.Content, "订…") {
		t.Errorf("%d bytes, %v", len(v.Text.Content), err)
	}
	if err != nil {
		t.Error(err)
	}
}
