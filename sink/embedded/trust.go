package embedded

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// digest is what an archive must hash to.
type digest struct {
	name string // of the algorithm
	hash func() hash.Hash
	sum  []byte
	// remedy is what to do where the archive has another hash.
	remedy string
}

func (d digest) String() string { return d.name + " " + hex.EncodeToString(d.sum) }

// trust is what the first download of a build without a pinned hash leaves beside the library. It outlives the library, so
// that another archive under the same version is refused.
type trust struct {
	Integrity   string `json:"integrity"` // of the archive, as npm's registry writes it
	LibrarySize int64  `json:"library_size"`
}

func (s store) trustFile() string { return filepath.Join(filepath.Dir(s.path()), "trusted.json") }

// readTrust returns the zero value where nothing was downloaded yet.
func (s store) readTrust() (t trust, err error) {
	b, err := os.ReadFile(s.trustFile())
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return t, fmt.Errorf("what is known of the embedded ClickHouse can not be read: %w: remove %s to fetch it anew, or %s", err, s.trustFile(), remedy)
	}
	return t, nil
}

func (s store) writeTrust(t trust) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return replaceFile(s.trustFile(), append(b, '\n'))
}

// wanted returns the hash that the archive must have: the pinned one; else that of the first download; else, before that, the
// one that the registry states, which is trusted once, and said so. The second result is what to keep of that.
func (s store) wanted(ctx context.Context, tmp string) (digest, trust, error) {
	again := "try again, or " + remedy
	if s.build.sha256 != "" {
		sum, err := hex.DecodeString(s.build.sha256)
		return digest{"SHA-256", sha256.New, sum, again}, trust{}, err
	}
	known, err := s.readTrust()
	if err != nil {
		return digest{}, known, err
	}
	from := s.trustFile()
	if known.Integrity == "" {
		from = "npm's registry"
		if known.Integrity, err = s.registryIntegrity(ctx, tmp); err != nil {
			return digest{}, known, err
		}
		s.log.Warn("no hash of this build of the embedded ClickHouse is pinned: the one of npm's registry is trusted now, and compared from now on",
			"package", s.spec(), "integrity", known.Integrity, "kept", s.trustFile())
	} else {
		again = fmt.Sprintf("try again; if the publisher has replaced it for a reason that you know, remove %s; or %s", from, remedy)
	}
	// There may be several hashes, of which the strongest counts; what follows a ? is options.
	for field := range strings.FieldsSeq(known.Integrity) {
		sum, ok := strings.CutPrefix(field, "sha512-")
		sum, _, _ = strings.Cut(sum, "?")
		if raw, err := base64.StdEncoding.DecodeString(sum); ok && err == nil && len(raw) == sha512.Size {
			return digest{"SHA-512", sha512.New, raw, again}, known, nil
		}
	}
	return digest{}, known, fmt.Errorf("%s has no SHA-512 of %s, without which it is not used: %s", from, s.spec(), remedy)
}

// registryIntegrity asks the registry for the hash of the archive.
func (s store) registryIntegrity(ctx context.Context, tmp string) (string, error) {
	out, err := s.npm(ctx, tmp, "view", s.spec(), "dist.integrity", "--json")
	if err != nil || len(out) == 0 {
		return "", err // nothing is said where there is none
	}
	var integrity string
	if err := json.Unmarshal(out, &integrity); err != nil {
		return "", fmt.Errorf("npm view %s: %w", s.spec(), err)
	}
	return integrity, nil
}
