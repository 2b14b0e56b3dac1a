package keys

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/credentials-go/credentials"
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
func ringOf(p *provider) (k *Keyring, built *int) {
	built = new(int)
	k = &Keyring{
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
				if key, err := k.Current(t.Context()); err != nil || key.ID != "key1" || key.Provider != "fake" || key.Token != "token of key1" {
					t.Errorf("%+v, %v", key, err)
				}
			})
		}
		wg.Wait()
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
		time.Sleep(keyFresh)
		if key, err := k.Current(t.Context()); err != nil || key.ID != "key2" || p.asked != 2 {
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
			if key, err := k.Current(t.Context()); err != nil || key.ID != "key" {
				t.Fatalf("after %v: %+v, %v", time.Since(start), key, err)
			}
			down = true
			time.Sleep(100 * time.Millisecond)
		}
		if limit := int((keyGood-keyFresh)/keyPause) + 2; p.asked > limit {
			t.Errorf("asked %d times, not %d at most", p.asked, limit)
		}
		time.Sleep(keyPause)
		_, err := k.Current(t.Context())
		var ke *Error
		if !errors.As(err, &ke) || !ke.Unavailable {
			t.Errorf("%v", err)
		}
		down = false
		if _, err := k.Current(t.Context()); err == nil {
			t.Error("asked again at once")
		}
		time.Sleep(keyPause)
		if _, err := k.Current(t.Context()); err != nil {
			t.Error(err)
		}
		if *built != 1 {
			t.Errorf("built %d providers", *built)
		}
	})
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
		_, err := k.Current(t.Context())
		var ke *Error
		if !errors.As(err, &ke) || ke.Unavailable { // nothing is configured; the time-out is the metadata service's, rightly absent
			t.Errorf("%v", err)
		}
		time.Sleep(keyPause)
		if _, err := k.Current(t.Context()); err != nil || *built != 2 {
			t.Errorf("%d providers were built, %v", *built, err)
		}
	})
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
			if _, err := NewKeyring(c); err != nil {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
}

// A file that is not there is a mistake of the configuration, not a service that does not answer.
func TestFilesThatAreNotThere(t *testing.T) {
	t.Parallel()
	k, err := NewKeyring(Credentials{OIDCProviderARN: "p", OIDCTokenFile: filepath.Join(t.TempDir(), "none"), RoleARN: "r"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Current(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Unavailable {
		t.Errorf("%v", err)
	}
}
