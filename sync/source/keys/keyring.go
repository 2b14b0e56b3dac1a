package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"golang.org/x/sync/singleflight"

	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// Key is what a request is signed with.
type Key struct {
	ID, Secret, Token string
	Provider          string    // the kind of credentials; goes into a header, as the vendor's SDK has it
	At                time.Time // when a request is signed, by the vendor's clock; zero for this machine's now
}

// Format keeps secrets out of every print, whatever the verb (I10).
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

const (
	// keyFresh is how long a key is used without asking its provider. credentials-go renews a role's session when 180
	// seconds are left of it, so what it returns is good for at least as long.
	keyFresh = 30 * time.Second
	// keyGood is how long a key that cannot be renewed is used on, within these 180 seconds.
	keyGood = 170 * time.Second
	// keyPause is between two attempts to get a key, so that a thousand calls do not ask a broken service a thousand times.
	keyPause = 2 * time.Second
	// keyRefusedPause is between two times that a refused token makes us get a new one before its time.
	keyRefusedPause = time.Minute
	// keepSecrets is how many secrets are remembered: those of four keys. A session's key changes about once an hour.
	keepSecrets = 3 * 4
)

// Keyring gets a login's keys from credentials-go, whose providers that renew their keys must not be used by two
// goroutines at a time, and do not know contexts. One goroutine at a time asks the provider; it ends by the provider's
// own time-outs, and whoever waits for it may go away earlier.
type Keyring struct {
	build  func() (credentials.Credential, error)
	static bool // the keys never change
	chain  bool // the default chain
	now    func() time.Time
	group  singleflight.Group

	mu        sync.Mutex
	provider  credentials.Credential
	key       Key
	got       time.Time // when the provider last returned the key; zero for never
	failed    time.Time // when it last did not, if that is newer
	err       error
	discarded time.Time // when a key was last thrown away before its time
	given     []string  // the secrets of the configuration, and
	learned   []string  // those of the newest keys, for scrubbing
}

// NewKeyring makes a keyring; it reads files and the environment at most, and calls nobody.
func NewKeyring(c Credentials) (*Keyring, error) {
	config, err := c.vendorConfig()
	if err != nil {
		return nil, err
	}
	kind := c.kind()
	k := &Keyring{
		build:  func() (credentials.Credential, error) { return credentials.NewCredential(config) },
		static: kind == AccessKey || kind == STS,
		chain:  kind == Default,
		now:    func() time.Time { return time.Now().Round(0) }, // a suspended machine's sessions expire too
	}
	k.given = []string{c.AccessKeySecret, c.SecurityToken, c.AccessKeyID}
	if k.provider, err = k.build(); err != nil {
		return nil, errors.New(Scrub(err.Error(), k.given...))
	}
	if k.static {
		if _, err := k.fetch(); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Current returns the key to sign with.
func (k *Keyring) Current(ctx context.Context) (Key, error) {
	k.mu.Lock()
	now := k.now()
	if !k.got.IsZero() && (k.static || within(now, k.got, keyFresh)) {
		defer k.mu.Unlock()
		return k.key, nil
	}
	if k.err != nil && within(now, k.failed, keyPause) {
		defer k.mu.Unlock()
		return k.spare(now, k.err)
	}
	k.mu.Unlock()

	select {
	case r := <-k.group.DoChan("", func() (any, error) { return k.fetch() }):
		if r.Err == nil {
			return r.Val.(Key), nil
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.spare(k.now(), r.Err)
	case <-ctx.Done():
		return Key{}, ctx.Err()
	}
}

// spare returns the last key while it must still be good, or else the error.
func (k *Keyring) spare(now time.Time, err error) (Key, error) {
	if !k.got.IsZero() && within(now, k.got, keyGood) {
		return k.key, nil
	}
	return Key{}, err
}

// within reports whether now is in [t, t+d). A clock that was set back is not within.
func within(now, t time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return age >= 0 && age < d
}

// fetch asks the provider. There is never more than one at a time.
func (k *Keyring) fetch() (Key, error) {
	k.mu.Lock()
	p := k.provider
	k.mu.Unlock()
	key, p, err := k.ask(p)

	k.mu.Lock()
	defer k.mu.Unlock()
	k.provider = p
	if err != nil {
		err = k.explain(err)
		k.failed, k.err = k.now(), err
		if k.chain {
			// The chain remembers the last provider that it tried, even one that failed, and never asks another again.
			k.provider = nil
		}
		return Key{}, err
	}
	if key != k.key {
		k.learned = append(k.learned, key.Secret, key.Token, key.ID)
		k.learned = slices.Clone(k.learned[max(len(k.learned)-keepSecrets, 0):])
	}
	k.key, k.got, k.err = key, k.now(), nil
	return key, nil
}

// ask gets a key from the provider, which is made first if there is none.
func (k *Keyring) ask(p credentials.Credential) (key Key, _ credentials.Credential, err error) {
	defer func() {
		// credentials-go follows pointers that an incomplete answer of a metadata service leaves nil.
		if r := recover(); r != nil {
			err = fmt.Errorf("the provider of credentials got an answer that it cannot read: %v", r)
		}
	}()
	if p == nil {
		if p, err = k.build(); err != nil {
			return key, nil, err
		}
	}
	m, err := p.GetCredential()
	if err != nil {
		return key, p, err
	}
	key = Key{ID: value(m.AccessKeyId), Secret: value(m.AccessKeySecret), Token: value(m.SecurityToken), Provider: value(m.ProviderName)}
	if key.ID == "" || key.Secret == "" {
		return Key{}, p, errors.New("the provider gave no AccessKey")
	}
	return key, p, nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Refused is told that the vendor refused the token. It reports whether the next key will be a new one.
func (k *Keyring) Refused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.static || !k.discarded.IsZero() && within(now, k.discarded, keyRefusedPause) {
		return false
	}
	k.discarded, k.provider, k.got = now, nil, time.Time{}
	return true
}

// Secrets are texts that must not be shown.
func (k *Keyring) Secrets() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.given, k.learned)
}

// Error says why there is no key. Unavailable: whoever issues keys does not answer, so that later may be better.
type Error struct {
	text        string
	Unavailable bool
}

func (e *Error) Error() string { return e.text }

// explain makes a provider's error one that can be shown. Its text may hold a whole request or answer with keys in them,
// and most of its errors are text only, so that the text is all there is to tell a time-out by.
func (k *Keyring) explain(err error) error {
	text := err.Error()
	lower := strings.ToLower(text)
	var n net.Error
	unavailable := errors.As(err, &n) && !errors.As(err, new(*fs.PathError)) // whose cause has the methods of a network's error, too
	for _, sign := range []string{
		"timeout", "deadline exceeded", "connection refused", "connection reset", "no route to host", "network is unreachable",
		"no such host", "server misbehaving", "eof", "throttling", "serviceunavailable", "internalerror",
	} {
		unavailable = unavailable || strings.Contains(lower, sign)
	}
	if k.chain && k.got.IsZero() {
		unavailable = false // it tried every place, and most are rightly absent: nothing is configured
	}
	text = Scrub(queries.ReplaceAllString(text, ""), slices.Concat(k.given, k.learned)...)
	return &Error{text: field.Cut(text, 600), Unavailable: unavailable} // a chain's error names every provider
}

// queries finds the queries of URLs in a text.
var queries = regexp.MustCompile(`\?[^ "\n]*`)
