package embedded

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// confine takes from this process, for good and before the engine is loaded, what the engine has no use for: all files but
// those of the data folder and of the system, and all connections but those to itself. Grants alone do not do that: in
// this form of the engine the scalar function file reads whatever the process can read, for every user.
//
// A kernel that knows less of Landlock leaves more open, and one without it everything: then grants are all there is.
func confine(lib, dir string, ports ...uint16) error {
	rules := []landlock.Rule{
		landlock.RWDirs(filepath.Join(dir, dataDir), filepath.Join(dir, workDir)).WithRefer(), // files move between folders
		landlock.RODirs(filepath.Join(dir, configDir), "/lib", "/lib64", "/usr/lib", "/usr/lib64",
			"/usr/share/zoneinfo", "/sys", "/proc/sys", "/proc/pressure",
			fmt.Sprintf("/proc/%d", os.Getpid()), // not those of others, whose environment holds credentials
		).IgnoreIfMissing(),
		landlock.ROFiles(lib, "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version",
			"/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/random").IgnoreIfMissing(),
		landlock.RWFiles("/dev/null"),
	}
	for _, p := range ports {
		rules = append(rules, landlock.ConnectTCP(p), landlock.BindTCP(p))
	}
	return landlock.V6.BestEffort().Restrict(rules...)
}

// Confined reports whether the server is kept to its folder, so that its users can read no other files: whether this kernel
// has Landlock.
func Confined() bool {
	v, err := landlocksyscall.LandlockGetABIVersion()
	return err == nil && v > 0
}
