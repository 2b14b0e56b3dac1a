package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writeFile writes a file in full or not at all: what write writes goes to a temporary file in the same folder, which takes the
// name when it is complete and on the disk, and is removed after an error. A file of that name keeps its permissions; one that a
// link leads to is written where it is. A pipe or a device is written as it is.
func writeFile(name string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o666)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	return writeFileWith(name, mode, write)
}

// writeFileWith is writeFile with the permissions that the file gets, whatever those of one of that name are.
func writeFileWith(name string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	defer func() {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: %s was not written; free some space, or choose another folder", err, name)
		}
	}()
	target := name
	if linked, err := filepath.EvalSymlinks(name); err == nil {
		target = linked
	}
	info, err := os.Stat(target)
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(target, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	partial := target + "." + rand.Text()[:8] + ".part"
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(partial) // it is not there any more where all went well
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, target); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(target)) // the name is on the disk when its folder is
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
