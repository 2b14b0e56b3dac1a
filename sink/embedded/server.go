package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// openTimeout bounds the wait for a server that another process is starting. A large data folder takes a while to load.
	openTimeout = 90 * time.Second

	// pollInterval is how often locks and addresses are looked at.
	pollInterval = 100 * time.Millisecond
)

// Options says which folder to serve and how.
type Options struct {
	// Dir is the data folder. Its parent must exist.
	Dir string

	// Log receives starts, deaths and take-overs, and the server's own output at debug level. Nil discards them.
	Log *slog.Logger

	// Progress is told how far the first download of the engine is, in bytes; the stages are "download" and "unpack".
	// Calls come one at a time, and done equals total once, at the end of a stage. Nil is fine.
	Progress func(stage string, done, total int64)

	// Database is what the users may use. Empty means ordersync.
	Database string

	// Open lets everybody in as the user default, who may do everything, as on a freshly installed server. It is for tests
	// of what runs on a server of the user's own; nothing in the configuration sets it.
	Open bool

	// ConfigFile is an optional ClickHouse configuration, for what arguments can not say: remote_servers and macros.
	ConfigFile string

	// Settings are ClickHouse settings that every query begins with, where they are not to be the engine's own.
	Settings map[string]string

	// NativePort and HTTPPort fix the ports. Zero keeps the ports of the last time where they are free.
	NativePort, HTTPPort int

	checkEvery time.Duration // for tests; zero for checkEvery
}

// users are those who may log in.
func (o Options) users() []string {
	if o.Open {
		return []string{Owner, Reader, "default"}
	}
	return []string{Owner, Reader}
}

// Server is an open folder: either this process runs the server or it is connected to the process that does.
type Server struct {
	opts  Options
	files files
	log   *slog.Logger

	cancel context.CancelFunc
	done   chan struct{} // closed when supervise has ended

	mu    sync.Mutex
	at    address
	users passwords
	owner *os.File // owner.lock while this process holds it
	child *child   // nil while there is none
}

// Open starts the server of a folder, or connects to the one that another process runs on it. It returns when the server
// answers. The context bounds only the opening.
func Open(ctx context.Context, o Options) (*Server, error) {
	if !mainCalled.Load() {
		return nil, errors.New("embedded.Main must be the first call of main and of TestMain: the server is this program, started again")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Database == "" {
		o.Database = "ordersync"
	}
	if o.checkEvery == 0 {
		o.checkEvery = checkEvery
	}
	f, err := prepare(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.ConfigFile != "" {
		// The server runs in another working directory.
		if o.ConfigFile, err = filepath.Abs(o.ConfigFile); err != nil {
			return nil, err
		}
		if _, err := os.Stat(o.ConfigFile); err != nil {
			return nil, fmt.Errorf("the server configuration can not be read: %w", err)
		}
	}
	if !o.Open && !Confined() {
		o.Log.Warn("this kernel has no Landlock: whoever logs in to the embedded ClickHouse can read the files that this user can read; " +
			"give its passwords to nobody, or set clickhouse.addr to a ClickHouse of your own")
	}
	s := &Server{opts: o, files: f, log: o.Log.With("dir", f.dir), done: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("embedded ClickHouse in %s: %w", f.dir, err)
	}
	// The goroutine outlives ctx on purpose: it ends in Close.
	var run context.Context
	run, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.done)
		s.supervise(run)
	}()
	return s, nil
}

// open settles which part this process plays.
func (s *Server) open(ctx context.Context) error {
	var lib string
	deadline := time.Now().Add(openTimeout)
	for {
		lock, err := tryLock(s.files.ownerLock)
		if err != nil {
			return err
		}
		if lock != nil && lib == "" {
			// The first download takes minutes. It must not make others wait for a server that is not being started.
			lock.Close()
			if lib, err = library(ctx, s.log, s.opts.Progress); err != nil {
				return err
			}
			deadline = time.Now().Add(openTimeout)
			continue
		}
		if lock != nil {
			if err := s.startOwned(ctx, lib); err != nil {
				lock.Close()
				return err
			}
			s.mu.Lock()
			s.owner = lock
			s.mu.Unlock()
			return nil
		}
		// An address is believed only while its owner lives: a server whose owner has gone is about to stop.
		at, err := s.files.readAddress()
		var users passwords
		if err == nil {
			users, err = s.files.readPasswords()
		}
		if err == nil {
			err = at.probe(ctx, s.files.data, users.login(Owner))
		}
		if err == nil && at.Database != s.opts.Database {
			// Its users may not use another, and an owner that has not started its server yet would have failed the probe.
			return fmt.Errorf("another process runs its server for the database %s, and clickhouse.database is %s here: "+
				"use the same, stop that process, or give each a folder of its own", at.Database, s.opts.Database)
		}
		if err == nil {
			s.mu.Lock()
			s.at, s.users = at, users
			s.mu.Unlock()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another process holds %s but its server does not answer: %w; stop that process or use another folder",
				s.files.ownerLock, err)
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// startOwned starts the first server of a process that has just become the owner.
func (s *Server) startOwned(ctx context.Context, lib string) error {
	last, _ := s.files.readAddress() // without one, any ports will do
	for try := 1; ; try++ {
		at, err := choosePorts(s.opts.NativePort, s.opts.HTTPPort, last)
		if err != nil {
			return err
		}
		err = s.start(ctx, lib, at)
		if err == nil {
			return nil
		}
		// Between choosing a port and listening on it, anybody can take it.
		fixed := s.opts.NativePort != 0 || s.opts.HTTPPort != 0
		if !errors.Is(err, errPortTaken) || fixed || try == 3 {
			return err
		}
		last = address{}
	}
}

// start runs a child on the given ports, waits until it answers and publishes its address.
func (s *Server) start(ctx context.Context, lib string, at address) error {
	c, err := startChild(ctx, lib, s.files, at, s.opts, s.log)
	if err != nil {
		return err
	}
	at.Database = s.opts.Database
	if err := s.files.writeAddress(at); err != nil {
		c.stop()
		return fmt.Errorf("write the server's address: %w", err)
	}
	s.mu.Lock()
	s.at, s.child, s.users = at, c, c.users
	s.mu.Unlock()
	return nil
}

// Addr is the native address, host:port. It stays the same when the server is started again or taken over.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.Native
}

// HTTPAddr is the address of the HTTP interface, host:port.
func (s *Server) HTTPAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.HTTP
}

// Login returns how a user, [Owner] or [Reader], logs in.
func (s *Server) Login(user string) Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users.login(user)
}

// Owner says whether this process runs the server. It becomes true when this process takes over.
func (s *Server) Owner() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner != nil
}

// Pid is the server's process, or 0 while this process runs none. Crash tests kill it.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Close stops the server if this process runs it. Another process that has the folder open takes over. It can be called
// any number of times; every call returns after the server has stopped.
func (s *Server) Close() error {
	s.cancel()
	<-s.done
	return nil
}

// Folders inside the data folder.
const (
	dataDir   = "data"
	workDir   = "empty"
	configDir = "config"
)

// files are the paths inside the data folder.
type files struct {
	dir, data, work, config, ownerLock, serverLock, address, passwords string
}

func newFiles(dir string) files {
	return files{
		dir:        dir,
		data:       filepath.Join(dir, dataDir),
		work:       filepath.Join(dir, workDir),
		config:     filepath.Join(dir, configDir),
		ownerLock:  filepath.Join(dir, "owner.lock"),
		serverLock: filepath.Join(dir, "server.lock"),
		address:    filepath.Join(dir, "address.json"),
		passwords:  filepath.Join(dir, "passwords.json"),
	}
}

const folderRemedy = "create it, correct the permissions, or choose another folder with clickhouse.embedded"

// Look reports whether a folder has a warehouse, and changes nothing. Like Open it refuses a folder that has, under a name that
// Open needs, what is not ours (I13).
func Look(dir string) (there bool, err error) {
	f := newFiles(dir)
	var taken []string
	for _, path := range []string{f.data, f.work, f.config, f.serverLock, f.address, f.passwords} {
		if _, err := os.Lstat(path); err == nil {
			taken = append(taken, filepath.Base(path))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("the data folder can not be read: %w: %s", err, folderRemedy)
		}
	}
	// It is the first that is made and is never removed, so it is there if any of the others is ours.
	if _, err := os.Lstat(f.ownerLock); err == nil {
		return slices.Contains(taken, dataDir), nil
	}
	if len(taken) > 0 {
		return false, fmt.Errorf("the folder %s has %s, not made by ordersync, which needs the name for its own: nothing was changed; "+
			"choose a new or an empty folder with clickhouse.embedded", dir, strings.Join(taken, ", "))
	}
	return false, nil
}

// prepare makes the folder. It does not make parents: a mistyped path should not become a new, empty warehouse.
func prepare(dir string) (files, error) {
	if dir == "" {
		return files{}, errors.New("embedded ClickHouse needs a data folder: set clickhouse.embedded")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return files{}, err
	}
	if err := os.Mkdir(abs, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return files{}, fmt.Errorf("the data folder %s can not be made because its parent does not exist: %s", abs, folderRemedy)
		}
		return files{}, fmt.Errorf("the data folder can not be made: %w: %s", err, folderRemedy)
	}
	// Processes compare this path to tell one folder's server from another's.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return files{}, err
	}
	// Whoever can write here can put another configuration, or other passwords, in the place of ours.
	if err := onlyOurs(abs, 0o022); err != nil {
		return files{}, fmt.Errorf("the data folder %w", err)
	}
	_, err = Look(abs)
	return newFiles(abs), err
}

// pause waits, or returns the context's error as soon as it ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
