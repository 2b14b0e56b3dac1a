package keys

import "github.com/aliyun/credentials-go/credentials"

// Ring is a keyring of a provider that a test scripts, with the counts of what was asked of it.
type Ring struct {
	*Keyring
	p     *provider
	built *int
}

// NewRing makes a Ring; answer returns the nth key.
func NewRing(answer func(n int) (*credentials.CredentialModel, error)) Ring {
	p := &provider{answer: answer}
	k, built := ringOf(p)
	return Ring{k, p, built}
}

// Counts are how often the provider was asked, and made.
func (r Ring) Counts() (asked, built int) { return r.p.asked, *r.built }

// Model is a key of which every part names id.
var Model = model
