package sinktest

import "syscall"

// memory is a folder that is kept in memory, or "" where there is none with room.
func memory() string {
	const (
		dir    = "/dev/shm"
		room   = 1 << 30 // far more than the tests of a package need; containers often have 64 MB in all
		tmpfs  = 0x01021994
		noExec = 0x8 // a test may run what it has built
	)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || int64(fs.Type) != tmpfs || fs.Flags&noExec != 0 {
		return ""
	}
	if fs.Bavail*uint64(fs.Bsize) < room || syscall.Access(dir, 2) != nil {
		return ""
	}
	return dir
}
