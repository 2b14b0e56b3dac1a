package app_test

import (
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
)

// A login is the account whose role is assumed, or else the key, wherever that comes from.
func TestIdentity(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "key")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
	login := func(c config.Credentials) string {
		a := config.NewAccount("a", config.SourceBSS)
		a.Credentials = c
		login, err := app.Identity(t.Context(), &a)
		if err != nil {
			t.Fatal(err)
		}
		return login
	}
	const role = "acs:ram::1:role/r"
	key := config.Credentials{AccessKeyID: "key", AccessKeySecret: "secret"}
	if login(config.Credentials{}) != login(key) {
		t.Error("the key of the environment is another than the same key of the file")
	}
	one := config.Credentials{AccessKeyID: "one", AccessKeySecret: "secret", RoleARN: role}
	two := config.Credentials{AccessKeyID: "two", AccessKeySecret: "secret", RoleARN: role}
	if login(one) != login(two) || login(one) == login(key) {
		t.Error("a role is not told by its name")
	}
	oidc := config.Credentials{OIDCProviderARN: "acs:ram::1:oidc-provider/p", OIDCTokenFile: "f", RoleARN: "acs:ram::1:role/other"}
	other := config.Credentials{AccessKeyID: "one", AccessKeySecret: "secret", RoleARN: "acs:ram::2:role/r"}
	if login(one) != login(oidc) || login(one) == login(other) {
		t.Error("a role is not told by its account")
	}
	a := config.NewAccount("a", config.SourceBSS)
	a.Credentials = config.Credentials{AccessKeyID: "half"}
	if login, err := app.Identity(t.Context(), &a); err == nil {
		t.Errorf("half a key is the login %q", login)
	}
}
