package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who is told learns the cause in the vendor's words and what cures it, and by --test that the way to them is right.
func TestNotify(t *testing.T) {
	t.Parallel()
	got := make(chan map[string]any, 100)
	robot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var v map[string]any
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			t.Error(err)
		}
		got <- v
	}))
	t.Cleanup(robot.Close)
	w := newWorld(t, 20)
	w.configure("http: {", "notify: {url: \""+robot.URL+"/the-key\"}\nhttp: {", "${TEST_SECRET}", "another")
	contains(t, w.run(0, "notify", "--test").out, "was taken")
	if v := <-got; !strings.Contains(v["text"].(string), "this is a test") {
		t.Errorf("%v", v)
	}
	p, _ := w.daemon(1)
	v := <-got
	for key, want := range map[string]string{"account": "main", "state": "stopped", "cause": "credentials", "says": "SignatureDoesNotMatch", "cure": "secret does not belong", "text": "[request "} {
		if text, _ := v[key].(string); !strings.Contains(text, want) {
			t.Errorf("%s is %q, without %q", key, text, want)
		}
	}
	p.signal(15)
	contains(t, p.end(0), "stopped")

	robot.Close()
	r := w.run(1, "notify", "--test")
	if contains(t, r.err, "the message was not taken", "notify.url"); strings.Contains(r.err, "the-key") {
		t.Errorf("it shows the robot's key (I10): %s", r.err)
	}
	w.configureAgain()
	contains(t, w.run(2, "notify", "--test").err, "notify.url is not set")
	w.run(2, "notify")
}
