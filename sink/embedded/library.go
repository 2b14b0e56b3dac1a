package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// LibraryVariable names a libchdb.so that is there already. It is used as it is, if nobody else can have written it.
const LibraryVariable = "ORDERSYNC_CHDB"

// libraryVersion is chDB's version, of the engine 26.7.
const libraryVersion = "26.7.3-stable.1"

// Engine is the library that is fetched, for people.
const Engine = "chDB " + libraryVersion

// fileName is the library's name on every platform, macOS included, in the package and in the cache.
const fileName = "libchdb.so"

// build is the engine for one platform, as published on npm. The hash is of the package's archive. Where it is empty nobody
// has tried the build, the sizes are zero, and the registry's own hash is trusted at the first download, see trust.
type build struct {
	name        string
	sha256      string
	archiveSize int64 // for the progress only
	librarySize int64
}

// builds are those that chDB publishes.
var builds = map[string]build{
	"linux/amd64": {
		name:        "@chdb/lib-linux-x64-gnu",
		sha256:      "c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad",
		archiveSize: 177817999,
		librarySize: 566330096,
	},
	"linux/arm64":  {name: "@chdb/lib-linux-arm64-gnu"},
	"darwin/arm64": {name: "@chdb/lib-darwin-arm64"},
	"darwin/amd64": {name: "@chdb/lib-darwin-x64"},
}

const remedy = "set clickhouse.addr to a ClickHouse of your own, or let " + LibraryVariable + " name a " + fileName + " of " + Engine

// library returns the path of the engine, and fetches it first if it is not there.
func library(ctx context.Context, log *slog.Logger, progress func(stage string, done, total int64)) (string, error) {
	if path := os.Getenv(LibraryVariable); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		if info, err := os.Stat(abs); err != nil {
			return "", fmt.Errorf("%s names a library that can not be read: %w", LibraryVariable, err)
		} else if !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s=%s is not a file: name the %s itself", LibraryVariable, path, fileName)
		}
		return trusted(abs)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	b, ok := builds[platform]
	if !ok {
		return "", fmt.Errorf("there is no embedded ClickHouse for %s: set clickhouse.addr to a ClickHouse of your own", platform)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep the embedded ClickHouse in: %w: set HOME; or %s", err, remedy)
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	path, err := store{dir: filepath.Join(cache, "ordersync"), build: b, log: log, progress: progress}.get(ctx)
	if err != nil {
		return "", err
	}
	return trusted(path)
}

// store keeps one build in the user's cache folder.
type store struct {
	dir      string
	build    build
	log      *slog.Logger
	progress func(stage string, done, total int64)
}

// spec is what npm calls the package.
func (s store) spec() string { return s.build.name + "@" + libraryVersion }

func (s store) path() string { return filepath.Join(s.dir, "chdb-"+libraryVersion, fileName) }

// have says whether the library is there, whole. It gets its name only after it was written and checked; the size
// also finds one that was cut off later.
func (s store) have() bool {
	size := s.build.librarySize
	if s.build.sha256 == "" {
		known, err := s.readTrust()
		if err != nil || known.Integrity == "" {
			return false
		}
		size = known.LibrarySize
	}
	info, err := os.Stat(s.path())
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// get returns the library and fetches it once for all processes of the user.
func (s store) get(ctx context.Context) (string, error) {
	if s.have() {
		return s.path(), nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path()), 0o755); err != nil {
		return "", fmt.Errorf("the folder for the embedded ClickHouse can not be made: %w: make it writable; or %s", err, remedy)
	}
	// Without a bound of its own: whoever holds the lock is downloading, and ctx ends the wait.
	lock, err := waitLock(ctx, filepath.Join(s.dir, "download.lock"), 24*time.Hour)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if s.have() {
		return s.path(), nil
	}
	// The lock says that no download is alive, so what is left here is of one that was killed.
	tmp := filepath.Join(s.dir, "download")
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	want, first, err := s.wanted(ctx, tmp)
	if err != nil {
		return "", err
	}
	archive, err := s.download(ctx, tmp)
	if err != nil {
		return "", err
	}
	if err := s.unpack(ctx, archive, tmp, want, first); err != nil {
		return "", fmt.Errorf("unpack the embedded ClickHouse: %w", err)
	}
	return s.path(), nil
}

// npm runs npm in a folder and returns what it prints, so that the user's registry, proxy and credentials apply.
func (s store) npm(ctx context.Context, dir string, args ...string) ([]byte, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, fmt.Errorf("the embedded ClickHouse is fetched once with npm, which is not there: install npm; or %s", remedy)
	}
	// npm's own cache would keep the archive for ever; a cache in the temporary folder also shows how far a download is.
	cmd := exec.CommandContext(ctx, npm, append(args, "--loglevel", "error", "--cache", filepath.Join(dir, "npm"))...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	said := output{log: slog.New(slog.DiscardHandler)}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &said), &said
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("npm %s: %w: check the network and npm's settings; or %s; npm said:\n%s", strings.Join(args, " "), err, remedy, said.tail())
	}
	return out.Bytes(), nil
}

// download lets npm fetch the archive, which npm checks against the registry's hash, too.
func (s store) download(ctx context.Context, tmp string) (string, error) {
	size := s.build.archiveSize // 0 where it is not known
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() { // ends before download returns
		defer close(watched)
		for last := int64(-1); ; {
			select {
			case <-stop:
				return
			case <-time.After(pollInterval):
			}
			n := treeSize(tmp)
			if size > 0 {
				// npm stores and checks the archive after it has all of it: the end is reported when that is done.
				n = min(n, size-1)
			}
			if n != last {
				s.progress("download", n, size)
				last = n
			}
		}
	}()
	_, err := s.npm(ctx, tmp, "pack", s.spec(), "--ignore-scripts")
	close(stop)
	<-watched
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("npm pack %s left %d archives, not 1", s.spec(), len(found)))
	}
	info, err := os.Stat(found[0])
	if err != nil {
		return "", err
	}
	s.progress("download", info.Size(), info.Size())
	return found[0], nil
}

// treeSize adds up the files below a folder that another process is writing.
func treeSize(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil { // files come and go meanwhile
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
