//go:build linux || darwin

package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeArchive is a package like npm's with a small library in it.
func fakeArchive(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	files := tar.NewWriter(zip)
	for _, f := range []struct {
		name    string
		content []byte
	}{{"package/package.json", []byte("{}")}, {name, content}} {
		check(t, files.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.content)), Typeflag: tar.TypeReg}))
		_, err := files.Write(f.content)
		check(t, err)
	}
	check(t, files.Close())
	check(t, zip.Close())
	return b.Bytes()
}

func fakeStore(t *testing.T, archive []byte, size int) store {
	sum := sha256.Sum256(archive)
	return store{
		dir:      t.TempDir(),
		log:      slog.New(slog.DiscardHandler),
		build:    build{name: "@chdb/fake", sha256: hex.EncodeToString(sum[:]), archiveSize: int64(len(archive)), librarySize: int64(size)},
		progress: func(string, int64, int64) {},
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("engine"), 10_000)
	good := fakeArchive(t, "package/libchdb.so", content)
	altered := bytes.Clone(good)
	altered[len(altered)/2] ^= 1
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped by the user"))
	for name, c := range map[string]struct {
		ctx     context.Context
		archive []byte
		pinned  []byte
		size    int
		want    string
	}{
		"good":          {t.Context(), good, good, len(content), ""},
		"altered":       {t.Context(), altered, good, len(content), "damaged or altered"},
		"cut off":       {t.Context(), good[:len(good)-20], good, len(content), "damaged or altered"},
		"pinned cut":    {t.Context(), good[:len(good)-40], good[:len(good)-40], len(content), "unexpected EOF"},
		"other size":    {t.Context(), good, good, len(content) + 1, "has a size of 60000, not 60001"},
		"other content": {t.Context(), fakeArchive(t, "package/x.so", content), fakeArchive(t, "package/x.so", content), len(content), "has no package/libchdb.so"},
		"stopped":       {stopped, good, good, len(content), "stopped by the user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fakeStore(t, c.pinned, c.size)
			tmp := t.TempDir()
			archive := filepath.Join(tmp, "a.tgz")
			check(t, os.WriteFile(archive, c.archive, 0o600))
			check(t, os.MkdirAll(filepath.Dir(s.path()), 0o700))
			want, _, err := s.wanted(c.ctx, tmp)
			check(t, err)
			err = s.unpack(c.ctx, archive, tmp, want, trust{})
			if c.want == "" {
				check(t, err)
				if got, _ := os.ReadFile(s.path()); !bytes.Equal(got, content) || !s.have() {
					t.Errorf("%d bytes were unpacked, have() = %v", len(got), s.have())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("unpack = %v, want %q", err, c.want)
			}
			if _, err := os.Stat(s.path()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something is where the library should be: %v", err)
			}
		})
	}
}

// fakeNPM puts a program called npm first in PATH; it leaves the archive in its working directory, as npm pack does.
func fakeNPM(t *testing.T, archive []byte) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	check(t, os.WriteFile(filepath.Join(dir, "a.tgz"), archive, 0o600))
	script := "#!/bin/sh\necho \"$@\" >>" + calls + "\ncp " + filepath.Join(dir, "a.tgz") + " fake.tgz\n"
	check(t, os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o700))
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return calls
}

func TestManyGetOneDownload(t *testing.T) {
	content := bytes.Repeat([]byte("engine"), 10_000)
	archive := fakeArchive(t, "package/libchdb.so", content)
	calls := fakeNPM(t, archive)
	s := fakeStore(t, archive, len(content))
	var mu sync.Mutex
	ended := map[string]int{}
	s.progress = func(stage string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if done == total {
			ended[stage]++
		}
	}
	// A half-written library and what a killed download left are there from before.
	check(t, os.MkdirAll(filepath.Dir(s.path()), 0o700))
	check(t, os.WriteFile(s.path(), content[:100], 0o600))
	check(t, os.MkdirAll(filepath.Join(s.dir, "download", "npm"), 0o700))
	check(t, os.WriteFile(filepath.Join(s.dir, "download", "old.tgz"), archive[:100], 0o600))

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			path, err := s.get(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
				t.Errorf("%d bytes in %s", len(got), path)
			}
		})
	}
	wg.Wait()
	said, err := os.ReadFile(calls)
	check(t, err)
	if n := strings.Count(string(said), "pack @chdb/fake@"+libraryVersion); n != 1 || ended["download"] != 1 || ended["unpack"] != 1 {
		t.Errorf("%d downloads, ends of stages %v:\n%s", n, ended, said)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "download")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the download folder is still there: %v", err)
	}
}

func TestGetErrors(t *testing.T) {
	s := fakeStore(t, nil, 1)
	t.Run("no npm", func(t *testing.T) {
		t.Setenv("PATH", "")
		_, err := s.get(t.Context())
		wantError(t, err, "install npm", "clickhouse.addr", LibraryVariable)
	})
	t.Run("no network", func(t *testing.T) {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\necho ENOTFOUND >&2; exit 1\n"), 0o700))
		t.Setenv("PATH", dir)
		_, err := s.get(t.Context())
		wantError(t, err, "ENOTFOUND", "network", "clickhouse.addr", LibraryVariable)
	})
	t.Run("no cache folder", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		check(t, os.WriteFile(file, nil, 0o600))
		_, err := store{dir: file, build: s.build, log: s.log, progress: s.progress}.get(t.Context())
		wantError(t, err, "make it writable", "clickhouse.addr", LibraryVariable)
	})
}

func TestLibraryOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.so")
	t.Setenv(LibraryVariable, missing)
	_, err := library(t.Context(), slog.New(slog.DiscardHandler), nil)
	wantError(t, err, LibraryVariable, missing)
	t.Setenv(LibraryVariable, dir)
	_, err = library(t.Context(), slog.New(slog.DiscardHandler), nil)
	wantError(t, err, LibraryVariable, "name the libchdb.so itself")

	// A file that is no library: the child's words are in the error, with what to do.
	text := filepath.Join(dir, "libchdb.so")
	check(t, os.WriteFile(text, []byte("not a library"), 0o600))
	t.Setenv(LibraryVariable, text)
	_, err = Open(t.Context(), Options{Dir: newDir(t)})
	wantError(t, err, text+" can not be loaded", "clickhouse.addr", LibraryVariable)
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}
