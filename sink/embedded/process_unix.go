//go:build linux || darwin

package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// serve is the life of the child: it loads the engine and runs its command line until the owner's pipe closes.
func serve(lib string, args []string) int {
	// Service managers signal every process of a group. Only the owner decides when the server ends, after its own work
	// is done, and it says so through the pipe.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	syscall.CloseOnExec(lifeFD)
	syscall.CloseOnExec(lockFD)
	go endWithOwner()

	r, args, err := startRelay(args, strings.Split(os.Getenv(usersVariable), ","))
	if err != nil {
		fmt.Fprintf(os.Stderr, "the ports can not be served: %v\n", err)
		return 1
	}
	if dir := os.Getenv(confineVariable); dir != "" {
		if err := confine(lib, dir, portOf(r.native), portOf(r.http)); err != nil {
			fmt.Fprintf(os.Stderr, "the server can not be kept to its folder: %v\n", err)
			return 1
		}
	}
	h, err := purego.Dlopen(lib, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s can not be loaded: %v\n", lib, err)
		return 1
	}
	entry, err := purego.Dlsym(h, "chdb_query_cmdline")
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is not a chDB library of version %s: %v\n", lib, libraryVersion, err)
		return 1
	}
	var cmdline func(argc int32, argv unsafe.Pointer) uintptr
	purego.RegisterFunc(&cmdline, entry)
	var failure func(result uintptr) string
	purego.RegisterLibFunc(&failure, h, "chdb_result_error")

	argv := make([]*byte, len(args)+1) // C wants a null at the end
	for i, a := range args {
		p, err := syscall.BytePtrFromString(a)
		if err != nil {
			fmt.Fprintf(os.Stderr, "argument %d: %v\n", i, err)
			return 1
		}
		argv[i] = p
	}
	result := cmdline(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	// The engine prints most errors itself; those of the command line are only in the result.
	if result != 0 {
		if said := failure(result); said != "" {
			fmt.Fprintln(os.Stderr, said)
			return 1
		}
	}
	return 0
}

// endWithOwner ends the process when its owner closes the pipe or has gone. What the engine has acknowledged is in files by
// then, and a query that still runs is nobody's.
func endWithOwner() {
	_, _ = io.Copy(io.Discard, os.NewFile(lifeFD, "life")) // nobody writes: it returns when the owner's end is closed
	os.Exit(0)
}

// ownGroup keeps a Ctrl-C in the terminal from the child: the owner writes its last rows first.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// tryLock takes a lock, or returns nil if somebody else holds it. The kernel releases it when the last descriptor of the
// returned file is closed, however its processes end. Lock files are never removed: two processes could lock two files
// of the same name.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock file can not be opened: %w; make its folder writable or choose another one", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w; use a folder on a local disk", path, err)
}
