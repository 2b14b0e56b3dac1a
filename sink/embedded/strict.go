//go:build linux || darwin

package embedded

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// onlyOurs reports an error unless a file belongs to this user, or to root, and nobody else has the permissions of a mask
// on it.
func onlyOurs(path string, mask fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (%d): `chown %d %[1]s`, if you trust it", path, stat.Uid, os.Geteuid())
	}
	if bad := info.Mode().Perm() & mask; bad != 0 {
		letters := map[bool]string{true: "w", false: "rwx"}[mask&0o044 == 0]
		return fmt.Errorf("%s is open to other users (%s): `chmod go-%s %[1]s`", path, info.Mode().Perm(), letters)
	}
	return nil
}

// trusted returns the real path of a file that nobody but this user and root can have written, as sshd looks at keys:
// neither the file nor a folder above it is writable for others, but for folders such as /tmp, where everybody may only
// change what is theirs.
func trusted(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return "", err
		}
		mask := fs.FileMode(0o022)
		if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
			mask = 0
		}
		if err := onlyOurs(p, mask); err != nil {
			return "", fmt.Errorf("%s is not loaded, since somebody else may have written it: %w", path, err)
		}
		if p == filepath.Dir(p) {
			return path, nil
		}
	}
}
