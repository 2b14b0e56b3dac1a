package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printer of a Secret shows. It is the same for an empty
// secret, so that output does not tell whether there is one.
const redacted = "[redacted]"

// Secret is text that must never be shown (I10). Every way in which the standard
// library or a YAML encoder prints a value leads to one of its methods, so a
// Config can be logged as a whole. Only Reveal returns the text.
//
// Two uses get past fmt's methods, %p and a %w that wraps no error: go vet
// rejects both.
type Secret string

// Reveal returns the secret text. Call it only where the text leaves the program
// by design: when a request is signed or a connection is opened.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string { return redacted }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return redacted }

// Format hides the text from every verb. Without it %x or %d would print the
// bytes, because fmt asks String only for verbs that are valid for strings.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text from encoders that ask for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the text from encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalYAML hides the text from YAML encoders.
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }
