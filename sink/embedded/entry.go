package embedded

import (
	"os"
	"sync/atomic"
)

const (
	// serveVariable marks a process that was started to be the server; its value is the library to load.
	serveVariable = "ORDERSYNC_EMBEDDED_SERVER"

	// lifeFD is a second descriptor of the pipe that is the child's standard input, lockFD is server.lock.
	lifeFD, lockFD = 3, 4

	// usersVariable names the users who may log in, with commas between them.
	usersVariable = "ORDERSYNC_EMBEDDED_USERS"

	// confineVariable names the data folder, if the child is to reach nothing beyond it.
	confineVariable = "ORDERSYNC_EMBEDDED_CONFINED"
)

// mainCalled guards against programs that forget Main: their child would run the program again instead of the server,
// which would start a child, and so on.
var mainCalled atomic.Bool

// Main must be the first call of main and of every TestMain. In a process that was started to be the server it becomes
// the server and never returns; elsewhere it does nothing.
func Main() {
	mainCalled.Store(true)
	if lib := os.Getenv(serveVariable); lib != "" {
		os.Exit(serve(lib, os.Args))
	}
}
