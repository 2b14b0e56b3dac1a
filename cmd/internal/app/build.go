package app

import (
	"runtime"
	"runtime/debug"
)

// BuildInfo says what this program was built from.
type BuildInfo struct {
	Version  string // of the module; "devel" where it was built from a working copy
	Revision string // of the repository; empty where the build did not record it
	Go       string
}

// version is set by the build of the image, which has no repository to read it from (-ldflags -X).
var version string

// Build reads what the Go tool wrote into the program.
func Build() BuildInfo {
	b := BuildInfo{Version: "devel", Go: runtime.Version()}
	if version != "" {
		b.Version = version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; version == "" && v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
