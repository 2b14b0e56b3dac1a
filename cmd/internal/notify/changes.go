package notify

import (
	"time"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/sync/source"
)

// Account is how one stands: as the worst of its streams.
type Account struct {
	Name        string
	Streams, Of int // as of a Message
	diagnosis.Diagnosis
}

// told is what was last told of an account, and what is seen of it since.
type told struct {
	state  diagnosis.State
	key    string // of what was told
	at     time.Time
	seen   string // the key of what was seen last
	seenAt time.Time
}

// Changes decides what is worth a message: a diagnosis that differs from the one that was told last and has been the same for a while.
// A vendor's hiccup is none, and an account is told of at most once in a while, so that one that comes and goes fills no chat.
type Changes struct {
	// Hold is how long a diagnosis must be the same, and Every how often an account is told of at most.
	Hold, Every time.Duration
	accounts    map[string]*told
}

// Of returns the messages of a look at all accounts. An account that is well when it is first looked at is no news, and what goes from
// one state that nobody need know of to another is none either.
func (c *Changes) Of(now time.Time, accounts []Account) (out []Message) {
	if c.accounts == nil {
		c.accounts = map[string]*told{}
	}
	for _, a := range accounts {
		key := string(a.State) + "\x00" + string(a.Cause) + "\x00" + source.Cause(a.Says)
		if !a.State.Bad() {
			key = ""
		}
		t, known := c.accounts[a.Name]
		if !known {
			t = &told{}
			c.accounts[a.Name] = t
		}
		if key != t.seen || t.seenAt.IsZero() {
			t.seen, t.seenAt = key, now
		}
		if key == t.key || now.Sub(t.seenAt) < c.Hold || !t.at.IsZero() && now.Sub(t.at) < c.Every {
			continue
		}
		out = append(out, NewMessage(a.Name, a.Streams, a.Of, t.state, a.Diagnosis, now))
		t.key, t.state, t.at = key, a.State, now
	}
	return out
}

// Lost says that a message was not taken: it is told again, after a while.
func (c *Changes) Lost(m Message) { c.accounts[m.Account].key = "lost" }
