package simulator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Chaos makes a script of several kinds of faults, others for other seeds: one that is frequent, a few that are rarer,
// and in most seeds up to two that lose something. A sync with retries gets through, slowly; what is lost it can only
// show until the script is off. Kinds that end a run at once, such as refused credentials, are not part of it.
//
// A call may hang until the client gives up, so its time-out should be short.
func Chaos(seed uint64) *Script {
	s := newRandom(seed, 0, purposeChaos)
	var passing, losing []*Kind
	for i := range kinds {
		switch k := &kinds[i]; {
		case k.chaos == 0:
		case k.loses:
			losing = append(losing, k)
		default:
			passing = append(passing, k)
		}
	}
	var mix []Rule
	take := func(from []*Kind, n int) {
		for range n {
			i := s.n(len(from))
			k := from[i]
			from = slices.Delete(slices.Clone(from), i, i+1)
			r := Rule{Kind: k.Name, Probability: k.chaos}
			if k.scope != perAccount {
				percent := s.between(5, 25)
				if len(mix) == 0 || k.loses {
					percent = s.between(50, 100)
				}
				// A round number, so that String and ParseFaults keep it.
				r.Probability = math.Round(r.Probability*float64(percent)*1000) / 100_000
			}
			mix = append(mix, r)
		}
	}
	take(passing, 3+s.n(4))
	take(losing, [...]int{0, 1, 1, 2}[s.n(4)])
	return NewScript(seed, mix...)
}

// ParseFaults reads a mix from a text such as "throttle:0.05,html502:0.01,no-permission@GetOrderDetail": kinds, each
// with a probability, 1 where there is none, and with an API where only its calls are meant.
func ParseFaults(text string) ([]Rule, error) {
	var mix []Rule
	var errs []error
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		r, err := parseFault(entry)
		if err == nil {
			err = r.validate()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		mix = append(mix, r)
	}
	return mix, errors.Join(errs...)
}

func parseFault(entry string) (Rule, error) {
	rest, api, atAPI := strings.Cut(entry, "@")
	name, number, hasNumber := strings.Cut(rest, ":")
	r := Rule{Kind: strings.TrimSpace(name), API: strings.TrimSpace(api)}
	if atAPI && !slices.ContainsFunc(operations, func(o operation) bool { return o.action == r.API }) {
		return r, fmt.Errorf("fault %q: the simulator serves no API %q", entry, r.API)
	}
	if !hasNumber {
		return r, nil
	}
	p, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(p > 0 && p <= 1) {
		return r, fmt.Errorf("fault %q: %q is not a probability above 0 and up to 1", entry, number)
	}
	r.Probability = p
	return r, nil
}

// String names the seed and the mix, in the form of ParseFaults as far as that goes.
func (s *Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: ", s.seed)
	for i, r := range s.rules {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(r.Kind)
		if r.Every == 0 && r.Probability < 1 {
			b.WriteByte(':')
			b.WriteString(strconv.FormatFloat(r.Probability, 'f', -1, 64))
		}
		if r.API != "" {
			b.WriteString("@" + r.API)
		}
	}
	return b.String()
}
