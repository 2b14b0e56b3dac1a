package simulator

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// questions are listings by the hour, some with a filter, and details; each is asked several times.
func questions() (all []FaultRequest) {
	for h := range 60 {
		for page := 1; page < 4; page++ {
			q := FaultRequest{API: "QueryOrders", Account: "testid", Page: page, Size: 20}
			q.Start = day.Add(time.Duration(h)*time.Hour - time.Second)
			q.End = q.Start.Add(time.Hour + 2*time.Second)
			all = append(all, q)
		}
	}
	for i := range 200 {
		all = append(all, FaultRequest{API: "GetOrderDetail", Account: "testid", OrderID: fmt.Sprint(211_059_788_270_700 + i)})
	}
	return slices.Concat(all, all, all)
}

// describe puts an action into words, with what its functions do.
func describe(a Action) string {
	var b strings.Builder
	fmt.Fprint(&b, a.Delay, a.Hang, a.Error, a.Status, a.Body, a.Header, a.PageSize, a.PageSizeHidden, a.Shift, a.Truncate, a.Reset, a.Drip)
	if a.Drop != nil {
		for i := range 20 {
			fmt.Fprint(&b, a.Drop(i))
		}
	}
	if a.Total != nil {
		fmt.Fprint(&b, a.Total(100))
	}
	if a.Rewrite != nil {
		fmt.Fprintf(&b, "%s", a.Rewrite([]byte(`{"Code":"Success","Data":{}}`)))
	}
	if a.Row != nil {
		for i := range 20 {
			row := `{"OrderId":"1","PretaxAmount":1,"PretaxGrossAmount":"1","CreateTime":"2026-03-02T00:00:00Z"}`
			fmt.Fprintf(&b, "%s", a.Row(fmt.Sprint(i), i, []byte(row)))
		}
	}
	return b.String()
}

// everyKind is a mix of all kinds, each of them rare.
func everyKind() (mix []Rule) {
	for _, k := range Kinds() {
		mix = append(mix, Rule{Kind: k.Name, Probability: 0.04})
	}
	return mix
}

// The same seed decides the same about the same questions, in whatever order and by however many they are asked.
func TestScriptIsDeterministic(t *testing.T) {
	decide := func(seed uint64, workers int) (map[string][]string, *Script) {
		s := NewScript(seed, everyKind()...)
		all := questions()
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		decisions := map[string][]string{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < len(all); i += workers {
					q := all[i]
					q.Number = i + 1
					d := describe(s.Fault(q))
					q.Number = 0
					mu.Lock()
					decisions[fmt.Sprint(q)] = append(decisions[fmt.Sprint(q)], d)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for _, d := range decisions {
			slices.Sort(d) // the attempts at a question may come in any order
		}
		return decisions, s
	}
	one, script := decide(5, 1)
	many, parallel := decide(5, 8)
	if !reflect.DeepEqual(one, many) {
		t.Error("the decisions depend on the order of the calls")
	}
	if !reflect.DeepEqual(script.Injected(), parallel.Injected()) || !reflect.DeepEqual(script.Losses(), parallel.Losses()) {
		t.Errorf("the counts depend on the order of the calls:\n%v\n%v", script.Injected(), parallel.Injected())
	}
	if other, _ := decide(6, 1); reflect.DeepEqual(one, other) {
		t.Error("another seed decides the same")
	}
	// A retry is decided anew, and a rule decides the same in another mix.
	again := 0
	for _, d := range one {
		if d[0] != d[2] {
			again++
		}
	}
	if again < 100 {
		t.Errorf("only %d of %d questions met something else when asked again", again, len(one))
	}
	alone := NewScript(5, Rule{Kind: "detail-400", Probability: 0.04})
	for _, q := range questions() {
		alone.Fault(q)
	}
	lost := slices.DeleteFunc(script.Losses(), func(l Loss) bool { return l.Kind != "detail-400" })
	missing := slices.DeleteFunc(alone.Losses(), func(l Loss) bool { return slices.Contains(lost, l) })
	if len(lost) == 0 || len(missing) > len(alone.Losses())/2 { // other kinds come first to a few of them
		t.Errorf("in the mix %v, alone %v", lost, alone.Losses())
	}
}

func TestScriptRules(t *testing.T) {
	hour := FaultRequest{API: "QueryOrders", Account: "testid", Page: 1, Size: 20, Start: day, End: day.Add(time.Hour)}
	second, later, detail := hour, hour, FaultRequest{API: "GetOrderDetail", Account: "testid", OrderID: "7"}
	second.Page = 2
	later.Start, later.End = day.Add(5*time.Hour), day.Add(6*time.Hour)
	for _, c := range []struct {
		rule Rule
		want string // of ten rounds of the four questions, which of them met the fault
	}{
		{Rule{Kind: "reset"}, "hour:10 second:10 later:10 detail:10"},
		{Rule{Kind: "reset", API: "QueryOrders"}, "hour:10 second:10 later:10 detail:0"},
		{Rule{Kind: "reset", API: "GetOrderDetail"}, "hour:0 second:0 later:0 detail:10"},
		{Rule{Kind: "reset", Page: 2}, "hour:0 second:10 later:0 detail:0"},
		{Rule{Kind: "reset", Orders: []string{"7", "8"}}, "hour:0 second:0 later:0 detail:10"},
		{Rule{Kind: "reset", Orders: []string{"8"}}, "hour:0 second:0 later:0 detail:0"},
		{Rule{Kind: "reset", From: day.Add(4 * time.Hour)}, "hour:0 second:0 later:10 detail:0"},
		{Rule{Kind: "reset", To: day.Add(4 * time.Hour)}, "hour:10 second:10 later:0 detail:0"},
		{Rule{Kind: "reset", Attempts: 3}, "hour:3 second:3 later:3 detail:3"},
		{Rule{Kind: "reset", Most: 5}, "hour:2 second:1 later:1 detail:1"},
		{Rule{Kind: "reset", First: 28, Last: 30}, "hour:1 second:1 later:1 detail:0"},
		{Rule{Kind: "reset", First: 10, Last: 10, API: "GetOrderDetail"}, "hour:0 second:0 later:0 detail:1"},
		{Rule{Kind: "reset", Every: 3, API: "QueryOrders"}, "hour:0 second:0 later:10 detail:0"},
		{Rule{Kind: "empty-page"}, "hour:10 second:10 later:10 detail:0"},
		{Rule{Kind: "detail-500", Orders: []string{"7"}}, "hour:0 second:0 later:0 detail:10"},
		{Rule{Kind: "window-fails", From: day.Add(5 * time.Hour), To: day.Add(6 * time.Hour)}, "hour:0 second:0 later:10 detail:0"},
		{Rule{Kind: "window-fails", To: day.Add(time.Hour)}, "hour:10 second:10 later:0 detail:0"},
	} {
		s := NewScript(1, c.rule)
		met := map[string]int{}
		listings, details := 0, 0
		for range 10 {
			for _, x := range []struct {
				name string
				q    FaultRequest
			}{{"hour", hour}, {"second", second}, {"later", later}, {"detail", detail}} {
				if x.q.OrderID == "" {
					listings++
					x.q.Number = listings
				} else {
					details++
					x.q.Number = details
				}
				if act := s.Fault(x.q); !act.none() {
					met[x.name]++
				}
			}
		}
		got := fmt.Sprintf("hour:%d second:%d later:%d detail:%d", met["hour"], met["second"], met["later"], met["detail"])
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.rule, got, c.want)
		}
		sum := met["hour"] + met["second"] + met["later"] + met["detail"]
		if n := s.Injected()[c.rule.Kind]; n != sum {
			t.Errorf("%+v: counted %d times, met %d times", c.rule, n, sum)
		}
	}
	for _, r := range []Rule{
		{}, {Kind: "flood"}, {Kind: "reset", Probability: 2}, {Kind: "reset", Probability: -0.5}, {Kind: "bad-row", Every: 2},
		{Kind: "window-fails", Most: 1}, {Kind: "window-fails", Orders: []string{"1"}}, {Kind: "reset", Most: -1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", r)
				}
			}()
			NewScript(1, r)
		}()
	}
}

// How often a fault happens is what was asked for.
func TestScriptProbability(t *testing.T) {
	s := NewScript(1, Rule{Kind: "throttle", Probability: 0.2}, Rule{Kind: "detail-500", Probability: 0.1})
	for i := range 10_000 {
		s.Fault(FaultRequest{API: "QueryOrders", Account: "a", Page: i + 1, Size: 20})
		s.Fault(FaultRequest{API: "GetOrderDetail", Account: "a", OrderID: fmt.Sprint(i)})
	}
	if n := s.Injected(); n["throttle"] < 3600 || n["throttle"] > 4000 || n["detail-500"] < 900 || n["detail-500"] > 1100 {
		t.Errorf("%v, want 3800 and 1000", n)
	}
	if n := len(s.Losses()); n != s.Injected()["detail-500"] {
		t.Errorf("%d losses", n)
	}
}

func TestScriptSwitches(t *testing.T) {
	a := testAccount(60)
	s := New(a)
	script := NewScript(1, Rule{Kind: "no-permission", API: "GetOrderDetail"}, Rule{Kind: "unavailable"})
	a.SetFault(script.Fault)
	id := a.IDs(day, a.o.To)[0]
	expect := func(what, list, detail string) {
		t.Helper()
		if r := callAPI(t, s, a, "QueryOrders"); r.Code != list {
			t.Errorf("%s: the listing returns %s, want %s", what, r.Code, list)
		}
		if r := callAPI(t, s, a, "GetOrderDetail", "OrderId", id); r.Code != detail {
			t.Errorf("%s: the detail returns %s, want %s", what, r.Code, detail)
		}
	}
	expect("at first", "ServiceUnavailable", "NoPermission")
	script.Off("unavailable")
	expect("with one off", "Success", "NoPermission")
	script.Off()
	expect("with all off", "Success", "Success")
	script.On("unavailable")
	expect("with one on", "ServiceUnavailable", "ServiceUnavailable")
	script.On()
	expect("with all on", "ServiceUnavailable", "NoPermission")
	if n := script.Injected(); n["unavailable"] != 4 || n["no-permission"] != 3 {
		t.Errorf("%v", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("a kind that is not in the mix was switched")
		}
	}()
	script.Off("hang")
}

func TestParseFaults(t *testing.T) {
	mix, err := ParseFaults(" throttle:0.05, html502:0.01,wrong-total:0.02,,no-permission@GetOrderDetail, hang:1 ")
	want := []Rule{
		{Kind: "throttle", Probability: 0.05}, {Kind: "html502", Probability: 0.01}, {Kind: "wrong-total", Probability: 0.02},
		{Kind: "no-permission", API: "GetOrderDetail"}, {Kind: "hang", Probability: 1},
	}
	if err != nil || !reflect.DeepEqual(mix, want) {
		t.Errorf("%v: %+v", err, mix)
	}
	if mix, err := ParseFaults(""); err != nil || len(mix) != 0 {
		t.Errorf("%v: %+v", err, mix)
	}
	_, err = ParseFaults("throtle:0.05,hang:2,slow:x,drip:0,reset@ListOrders,empty200:NaN")
	if err == nil {
		t.Fatal("nonsense was taken")
	}
	for _, part := range []string{`"throtle"`, "throttle, retry-after, ", `"2"`, `"x"`, `"0"`, `"ListOrders"`, `"NaN"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %s:\n%v", part, err)
		}
	}
	const text = "seed 9: throttle:0.05,no-permission@GetOrderDetail"
	if got := NewScript(9, mustParse(t, "throttle:0.05,no-permission@GetOrderDetail")...).String(); got != text {
		t.Errorf("%s, want %s", got, text)
	}
}

func mustParse(t *testing.T, text string) []Rule {
	t.Helper()
	mix, err := ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return mix
}

// Seeds differ, can be written down, and let a client through that tries again.
func TestChaos(t *testing.T) {
	seen := map[string]int{}
	mixes := map[string]bool{}
	for seed := range uint64(300) {
		s := Chaos(seed)
		text := s.String()
		if text != Chaos(seed).String() {
			t.Fatalf("seed %d has two mixes", seed)
		}
		_, mix, _ := strings.Cut(text, ": ")
		mixes[mix] = true
		parsed := NewScript(seed, mustParse(t, mix)...)
		if parsed.String() != text {
			t.Fatalf("%s becomes %s", text, parsed)
		}
		for _, r := range s.rules {
			seen[r.Kind]++
		}
		if seed >= 12 {
			continue
		}
		failed := map[string]int{}
		for range 4 {
			for _, q := range questions()[:380] {
				act := s.Fault(q)
				if other := parsed.Fault(q); describe(act) != describe(other) {
					t.Fatalf("%s: what is parsed decides otherwise", text)
				}
				if act.leavesNothing() {
					failed[fmt.Sprint(q)]++
				}
			}
		}
		stuck := 0
		for _, n := range failed {
			if n == 4 {
				stuck++
			}
		}
		if lost := len(s.Losses()); stuck > 3*lost+3 { // a lost hour has three pages here
			t.Errorf("%s: %d of 380 questions failed four times; %d losses", text, stuck, lost)
		}
	}
	if len(mixes) < 290 {
		t.Errorf("300 seeds have %d mixes", len(mixes))
	}
	for _, k := range kinds {
		if (k.chaos > 0) != (seen[k.Name] > 0) || k.chaos > 0 && k.chaos < 0.001 {
			t.Errorf("%s came %d times", k.Name, seen[k.Name])
		}
	}
}
