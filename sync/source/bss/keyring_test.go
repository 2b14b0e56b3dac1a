package bss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/credentials-go/credentials"

	"github.com/ordersync/ordersync/sync/source"
)

// provider is a provider of credentials that a test scripts.
type provider struct {
	credentials.Credential
	asked  int // not atomic: the race detector sees two at a time
	answer func(n int) (*credentials.CredentialModel, error)
}

func (p *provider) GetCredential() (*credentials.CredentialModel, error) {
	p.asked++
	return p.answer(p.asked)
}

func model(id string) *credentials.CredentialModel {
	return new(credentials.CredentialModel).SetAccessKeyId(id).SetAccessKeySecret("secret of " + id).SetSecurityToken("token of " + id).SetProviderName("fake")
}

// ringOf makes a keyring of a provider that renews its keys.
func ringOf(p *provider) (k *keyring, built *int) {
	built = new(int)
	k = &keyring{
		build: func() (credentials.Credential, error) { *built++; return p, nil },
		now:   func() time.Time { return time.Now().Round(0) },
	}
	return k, built
}

func TestKeysAreAskedForSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: func(n int) (*credentials.CredentialModel, error) {
			time.Sleep(time.Second) // the metadata service is slow
			return model(fmt.Sprint("key", n)), nil
		}}
		k, _ := ringOf(p)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if key, err := k.current(t.Context()); err != nil || key.id != "key1" || key.provider != "fake" || key.token != "token of key1" {
					t.Errorf("%+v, %v", key, err)
				}
			})
		}
		wg.Wait()
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
		time.Sleep(keyFresh)
		if key, err := k.current(t.Context()); err != nil || key.id != "key2" || p.asked != 2 {
			t.Errorf("%+v, %v", key, err)
		}
	})
}

// A renewal that fails does not stop calls while the last key must still be good, nor does it become a storm.
func TestKeysOutliveAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := false
		p := &provider{answer: func(int) (*credentials.CredentialModel, error) {
			if !down {
				return model("key"), nil
			}
			return nil, errors.New("refresh Ecs sts token err: i/o timeout")
		}}
		k, built := ringOf(p)
		start := time.Now()
		for time.Since(start) < keyGood {
			if key, err := k.current(t.Context()); err != nil || key.id != "key" {
				t.Fatalf("after %v: %+v, %v", time.Since(start), key, err)
			}
			down = true
			time.Sleep(100 * time.Millisecond)
		}
		if limit := int((keyGood-keyFresh)/keyPause) + 2; p.asked > limit {
			t.Errorf("asked %d times, not %d at most", p.asked, limit)
		}
		time.Sleep(keyPause)
		_, err := k.current(t.Context())
		var ke *keyError
		if !errors.As(err, &ke) || !ke.unavailable {
			t.Errorf("%v", err)
		}
		down = false
		if _, err := k.current(t.Context()); err == nil {
			t.Error("asked again at once")
		}
		time.Sleep(keyPause)
		if _, err := k.current(t.Context()); err != nil {
			t.Error(err)
		}
		if *built != 1 {
			t.Errorf("built %d providers", *built)
		}
	})
}

func TestWaitingForKeysEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: func(int) (*credentials.CredentialModel, error) {
			time.Sleep(time.Hour)
			return model("key"), nil
		}}
		c := &Client{account: "main", dialect: dialects[DefaultVersion], timeout: 30 * time.Second, next: tickClock}
		c.keys, _ = ringOf(p)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.List(ctx, testQuery)
		if e := failed(t, err); e.Reason != source.Timeout || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		_, err = c.List(t.Context(), testQuery)
		if e := failed(t, err); e.Reason != source.Timeout || time.Since(start) != 31*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		time.Sleep(time.Hour)
	})
}

func TestKeylessErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]source.Reason{
		`refresh Ecs sts token err: Get "http://100.100.100.200/latest": dial tcp: i/o timeout`:                                 source.Unavailable,
		`Post "https://sts.aliyuncs.com/?AccessKeyId=` + testKey + `&Signature=abc%3D": context deadline exceeded`:              source.Unavailable,
		`refresh session token failed: {"Code":"Throttling.User"}`:                                                              source.Unavailable,
		`refresh session token failed: {"Code":"NoPermission","Message":"You are not authorized"}`:                              source.Auth,
		`refresh credentials from u failed: {"AccessKeyId":"` + testKey + `","AccessKeySecret":"` + testSecret + `"}`:           source.Auth,
		`get role name failed: GET http://100.100.100.200/latest/meta-data/ram/security-credentials/ 404`:                       source.Auth,
		"open /var/run/token: no such file or directory":                                                                        source.Auth,
		"the provider of credentials got an answer that it cannot read: runtime error: invalid memory address or nil pointer x": source.Auth,
	} {
		p := &provider{answer: func(int) (*credentials.CredentialModel, error) {
			if strings.Contains(text, "nil pointer") {
				panic("nil pointer")
			}
			return nil, errors.New(text)
		}}
		c := client(t, "http://127.0.0.1:1")
		c.keys, _ = ringOf(p)
		_, err := c.List(t.Context(), testQuery)
		e := failed(t, err)
		if e.Reason != want || e.Hint == "" || e.HTTPStatus != 0 {
			t.Errorf("%s: %v", text, err)
		}
		if s := err.Error(); strings.Contains(s, testKey) || strings.Contains(s, testSecret) || strings.Contains(s, "abc%3D") {
			t.Errorf("shows a secret: %s", s)
		}
	}
}

// The default chain of credentials-go sticks to the last provider that it tried, so after a failure it is made anew.
func TestChainIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: func(n int) (*credentials.CredentialModel, error) {
			if n == 1 {
				return nil, errors.New("unable to get credentials from any of the providers in the chain: …, i/o timeout")
			}
			return model("key"), nil
		}}
		k, built := ringOf(p)
		k.chain = true
		_, err := k.current(t.Context())
		var ke *keyError
		if !errors.As(err, &ke) || ke.unavailable { // nothing is configured; the time-out is the metadata service's, rightly absent
			t.Errorf("%v", err)
		}
		time.Sleep(keyPause)
		if _, err := k.current(t.Context()); err != nil || *built != 2 {
			t.Errorf("%d providers were built, %v", *built, err)
		}
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	p := &provider{answer: func(n int) (*credentials.CredentialModel, error) { return model(fmt.Sprint("key", n)), nil }}
	s := serve(t, say(400, `{"Code":"InvalidSecurityToken.Expired","Message":"expired"}`))
	c := client(t, s.URL)
	var built *int
	c.keys, built = ringOf(p)
	for n, fresh := range []bool{true, false, false} {
		_, err := c.List(t.Context(), testQuery)
		if e := failed(t, err); e.Fresh != fresh || e.Reason != source.Auth {
			t.Errorf("call %d: %v, fresh %v", n, err, e.Fresh)
		}
	}
	if p.asked != 2 || *built != 2 {
		t.Errorf("asked %d times, built %d", p.asked, *built)
	}
}

// The whole way with a provider of credentials-go that renews its keys, by many goroutines.
func TestCredentialsURI(t *testing.T) {
	t.Parallel()
	var asked, called atomic.Int32
	keys := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"STS.id","AccessKeySecret":"s3","SecurityToken":"t0ken","Expiration":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		if r.Header.Get("X-Acs-Security-Token") != "t0ken" || r.Header.Get("X-Acs-Accesskey-Id") != "STS.id" {
			t.Errorf("%v", r.Header)
		}
		seen(t, r, "s3")
		say(200, emptyPage)(w, r)
	})
	c := client(t, s.URL, func(o *Options) { o.Credentials = Credentials{URI: keys.URL} })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				if _, err := c.List(t.Context(), testQuery); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if asked.Load() != 1 || called.Load() != 160 {
		t.Errorf("asked %d times for keys in %d calls", asked.Load(), called.Load())
	}
}

func TestDefaultChainReadsTheEnvironment(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", testKey)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", testSecret)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen(t, r, testSecret)
		say(200, emptyPage)(w, r)
	})
	c := client(t, s.URL, func(o *Options) { o.Credentials = Credentials{} })
	if _, err := c.List(t.Context(), testQuery); err != nil {
		t.Error(err)
	}
}

func TestKindsOfCredentials(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Credentials{
		Default:        {},
		AccessKey:      {AccessKeyID: "a", AccessKeySecret: "b"},
		STS:            {AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c"},
		RAMRoleARN:     {AccessKeyID: "a", AccessKeySecret: "b", RoleARN: "acs:ram::1:role/r"},
		ECSRAMRole:     {RoleName: "r"},
		OIDCRoleARN:    {OIDCProviderARN: "p", OIDCTokenFile: "f", RoleARN: "r"},
		CredentialsURI: {URI: "http://127.0.0.1:1"},
	} {
		if got := c.kind(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, typed := range []string{"", want} {
			c.Type = typed
			if _, err := newKeyring(c); err != nil {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
}
