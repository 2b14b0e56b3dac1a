//go:build !linux && !darwin

package embedded

import "io/fs"

func onlyOurs(string, fs.FileMode) error { return nil }

func trusted(path string) (string, error) { return path, nil }
