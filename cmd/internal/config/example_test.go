package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const exampleFile = "../../../config.example.yaml"

// commented matches a setting that is commented out: # without a space.
var commented = regexp.MustCompile(`(?m)^( *)#([^ \n].*)$`)

// exampleEnv is an environment in which every variable of the example is set.
func exampleEnv(name string) (string, bool) { return "value-of-" + name, true }

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestExample loads the example as a user would begin with it, and checks that
// it says no more than the two variables that it asks for.
func TestExample(t *testing.T) {
	t.Parallel()
	got, err := Load(Sources{File: exampleFile, Environ: testEnviron})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.File = exampleFile
	main := NewAccount("main", SourceBSS)
	main.Credentials = Credentials{AccessKeyID: "LTAI-example", AccessKeySecret: theSecret}
	want.Accounts = []Account{main}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example is not the minimum (-want +got):\n%s", diff)
	}
	// Without its variables the example names both, so a first run explains itself.
	_, err = Load(Sources{File: exampleFile})
	var failure *Error
	if !errors.As(err, &failure) || len(failure.Problems) != 2 {
		t.Errorf("without variables: %v", err)
	}
}

// TestExampleComments uncomments every setting and loads the result: what the
// example shows is valid, and the defaults that it states are true.
func TestExampleComments(t *testing.T) {
	t.Parallel()
	got, err := Parse("config.example.yaml", []byte(commented.ReplaceAllString(readExample(t), "$1$2")), exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.File = "config.example.yaml"
	want.Accounts = got.Accounts
	// The example states empty lists where the default has none.
	want.ClickHouse.Addr = []string{}
	want.HTTP.Hosts = []string{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example's defaults are not true (-want +got):\n%s", diff)
	}
	var kinds []CredentialsType
	for _, a := range got.Accounts {
		kinds = append(kinds, a.Credentials.Kind())
		bare := NewAccount(a.Name, a.Source)
		bare.Credentials = a.Credentials
		if a.Name == "main" {
			bare.OwnerIDs, bare.MemberUIDs = []string{}, []string{}
		}
		if a.Name == "some-orders" {
			bare.Filters = Filters{"rds", "rds", "Subscription", "New"}
		}
		if diff := cmp.Diff(bare, a); diff != "" {
			t.Errorf("account %s does not state the defaults (-want +got):\n%s", a.Name, diff)
		}
	}
	wantKinds := []CredentialsType{
		CredentialsAccessKey, CredentialsAccessKey, CredentialsDefault, CredentialsDefault, CredentialsSTS, CredentialsRAMRole,
		CredentialsECSRole, CredentialsOIDCRole, CredentialsURI,
	}
	if diff := cmp.Diff(wantKinds, kinds); diff != "" {
		t.Errorf("the example's credentials (-want +got):\n%s", diff)
	}
}

// TestExampleShowsEveryKey keeps the example complete.
func TestExampleShowsEveryKey(t *testing.T) {
	t.Parallel()
	text := readExample(t)
	for key := range knownKeys {
		shown := regexp.MustCompile(`(?m)^ *#?(- )?(\w+: \{.*)?\b` + key + `:`)
		if !shown.MatchString(text) {
			t.Errorf("the example does not show %s", key)
		}
	}
	if strings.Contains(text, "\t") {
		t.Error("the example contains a tab, which YAML does not allow")
	}
}
