package cli_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/sync/simulator"
)

type policy struct {
	Version   string
	Statement []struct {
		Effect   string
		Action   []string
		Resource string
	}
}

// actions returns what each statement allows, and checks what all policies have in common.
func actions(t *testing.T, out string) (all []string) {
	t.Helper()
	p := decode[policy](t, out)
	for _, s := range p.Statement {
		if s.Effect != "Allow" || s.Resource == "" {
			t.Errorf("%+v", s)
		}
		all = append(all, s.Action...)
	}
	if p.Version != "1" {
		t.Errorf("version %q", p.Version)
	}
	return all
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	reading := []string{"bss:DescribeOrderList", "bss:DescribeOrderDetail", "bss:QueryProductList"}
	w := newWorld(t, 0)
	w.withoutSecret = true // there is no key yet
	r := w.run(0, "check", "--policy")
	contains(t, r.err, "no configuration yet")
	if diff := cmp.Diff(reading, actions(t, r.out)); diff != "" {
		t.Error(diff)
	}
	contains(t, w.run(2, "check", "--policy", "-c", "missing.yaml").err, "missing.yaml")
	contains(t, w.run(2, "check", "--with-cancel").err, "--policy")

	w.write("ordersync.yaml", `accounts:
  - {name: a, source: bss, credentials: {access_key_id: "${TEST_SECRET}", access_key_secret: "${TEST_SECRET}"}}
  - {name: b, source: bss, api_version: "2023-09-30"}
  - {name: d, source: domain}
  - {name: u, source: unicloud, credentials: {access_key_id: x, access_key_secret: "${TEST_SECRET}"}}
`)
	r = w.run(0, "check", "--policy")
	contains(t, r.err, "u: unicloud has no RAM policies")
	if diff := cmp.Diff(append(slices.Clone(reading), "domain:Query*"), actions(t, r.out)); diff != "" {
		t.Error(diff)
	}
	r = w.run(0, "check", "--policy", "--with-cancel")
	if diff := cmp.Diff(append(slices.Clone(reading), "bss:CancelOrder", "domain:Query*"), actions(t, r.out)); diff != "" {
		t.Error(diff)
	}
	w.write("ordersync.yaml", "accounts: [{name: u, source: unicloud, credentials: {access_key_id: x, access_key_secret: y}}]\n")
	if r := w.run(1, "check", "--policy"); r.out != "" {
		t.Errorf("standard output: %s", r.out)
	}
}

// The policy allows what a sync does, and nothing is in it that the README does not show.
func TestPolicyOfTheReadme(t *testing.T) {
	t.Parallel()
	_, texts := blocks(t, "json")
	i := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, `"Statement"`) })
	var shown any
	if i < 0 || json.Unmarshal([]byte(texts[i]), &shown) != nil {
		t.Fatalf("the README shows no policy that is JSON: %q", texts)
	}
	if diff := cmp.Diff(shown, decode[any](t, newWorld(t, 0).run(0, "check", "--policy").out)); diff != "" {
		t.Error(diff)
	}
}

// Each action of the policy is needed: without it, its call is refused, and the error names it.
func TestPolicyIsTheLeast(t *testing.T) {
	t.Parallel()
	for call, action := range map[string]string{
		"QueryOrders": "bss:DescribeOrderList", "GetOrderDetail": "bss:DescribeOrderDetail", "QueryProductList": "bss:QueryProductList",
	} {
		w := newWorldWith(t, simulator.Options{Orders: 20, DeniedActions: []string{call}})
		w.configure()
		verb := []string{"backfill", "--from", "-24h"}
		if call == "QueryProductList" {
			verb = []string{"products"}
			contains(t, w.run(0, "check").out, "warn   product list of main", action, "only the product names need", "ok     order list of main")
		}
		contains(t, w.run(3, verb...).err, action)
	}
}
