//go:build linux || darwin

package embedded

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// registry is an npm registry with one package, which tests may exchange while it serves.
type registry struct {
	archive   atomic.Pointer[[]byte]
	integrity atomic.Pointer[string] // what it says of the archive; empty for the SHA-1 alone, as of old packages
	answers   atomic.Int64
}

func sri(archive []byte) string {
	sum := sha512.Sum512(archive)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (r *registry) publish(archive []byte, integrity string) {
	r.archive.Store(&archive)
	r.integrity.Store(&integrity)
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.answers.Add(1)
	if strings.HasSuffix(req.URL.Path, ".tgz") {
		_, _ = w.Write(*r.archive.Load())
		return
	}
	sum := sha1.Sum(*r.archive.Load())
	dist := map[string]string{"tarball": "http://" + req.Host + "/fake.tgz"}
	if integrity := *r.integrity.Load(); integrity != "" {
		dist["integrity"] = integrity
	} else {
		dist["shasum"] = hex.EncodeToString(sum[:])
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": "@chdb/fake", "dist-tags": map[string]string{"latest": libraryVersion},
		"versions": map[string]any{libraryVersion: map[string]any{"name": "@chdb/fake", "version": libraryVersion, "dist": dist}},
	})
}

// A build whose hash is not pinned is taken as the registry's own hash has it, by the real npm, and as it was then from there on.
func TestTrustOnFirstUse(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("ORDERSYNC_TEST_NODE") != "require" {
		t.Skip(err)
	}
	var r registry
	server := httptest.NewServer(&r)
	defer server.Close()
	t.Setenv("npm_config_registry", server.URL)
	t.Setenv("npm_config_fetch_retries", "0")

	content := bytes.Repeat([]byte("engine"), 10_000)
	archive := fakeArchive(t, "package/libchdb.so", content)
	other := fakeArchive(t, "package/libchdb.so", bytes.Repeat([]byte("another"), 10_000))
	var log strings.Builder
	ends := map[string]int64{}
	s := store{dir: t.TempDir(), build: build{name: "@chdb/fake"}, log: slog.New(slog.NewTextHandler(&log, nil)),
		progress: func(stage string, done, total int64) {
			if done == total {
				ends[stage] = done
			}
		}}
	refused := func(parts ...string) {
		t.Helper()
		_, err := s.get(t.Context())
		wantError(t, err, append(parts, LibraryVariable)...)
		if _, err := os.Stat(s.path()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is where the library should be: %v", err)
		}
	}
	got := func(want []byte) {
		t.Helper()
		path, err := s.get(t.Context())
		check(t, err)
		if got, _ := os.ReadFile(path); !bytes.Equal(got, want) {
			t.Errorf("%d bytes in %s", len(got), path)
		}
	}

	// The registry must say a strong hash, and the archive must have it.
	for _, integrity := range []string{"", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA"} {
		r.publish(archive, integrity)
		refused("npm's registry has no SHA-512")
	}
	r.publish(other, sri(archive))
	refused("EINTEGRITY")
	if _, err := os.Stat(s.trustFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was refused is trusted: %v", err)
	}

	log.Reset()
	r.publish(archive, "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= "+sri(archive)+"?x")
	got(content)
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no hash of this build") || !strings.Contains(text, sri(archive)) {
		t.Errorf("it was said: %s", text)
	}
	if ends["download"] != int64(len(archive)) || ends["unpack"] != int64(len(content)) {
		t.Errorf("ends of stages: %v", ends)
	}
	asked := r.answers.Load()
	got(content)
	if n := r.answers.Load() - asked; n != 0 {
		t.Errorf("%d more requests", n)
	}

	// One that was cut off is fetched again, and is the same as before.
	log.Reset()
	check(t, os.Truncate(s.path(), 100))
	got(content)
	if log.Len() > 0 {
		t.Errorf("it is trusted anew: %s", log.String())
	}

	// Another archive under the same version is refused, though the registry vouches for it, until somebody says so.
	check(t, os.Remove(s.path()))
	r.publish(other, sri(other))
	refused("another hash", "damaged or altered", "remove "+s.trustFile())
	check(t, os.WriteFile(s.trustFile(), []byte("{"), 0o600))
	refused("can not be read", "remove "+s.trustFile())
	check(t, os.Remove(s.trustFile()))
	got(bytes.Repeat([]byte("another"), 10_000))
	if leftover, _ := filepath.Glob(filepath.Join(s.dir, "download")); len(leftover) > 0 {
		t.Errorf("left behind: %v", leftover)
	}
}
