// Package embedded runs a real ClickHouse as a child process, with nothing to install: the whole engine is one shared
// library, and the program starts itself a second time to become the server.
//
// One folder has one server, however many processes open it. Two locks, both released by the kernel however a process
// ends, decide who does what:
//
//	owner.lock   held by the process that answers for the server
//	server.lock  held by the server itself: while it is held, nobody else opens the data
//
//	           owner.lock taken                       child died
//	Open ───────────────────────► owner: supervises ────────────► starts it again on the same ports
//	  │                             ▲
//	  │ owner.lock held,            │ owner.lock became free
//	  │ server answers              │ (the owner closed, or was killed)
//	  └───────────────────────► follower: connects
//
// The child's standard input is a pipe whose other end only its owner holds. When the owner ends, kill -9 included, the
// pipe closes and the child stops: there are no orphans.
package embedded
