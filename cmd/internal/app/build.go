package app

import (
	"runtime"
	"runtime/debug"

	"github.com/ordersync/ordersync/sink/embedded"
)

// BuildInfo says what this program was built from.
type BuildInfo struct {
	Version  string `json:"version"`            // of the module; "devel" where it was built from a working copy
	Revision string `json:"revision,omitempty"` // of the repository; empty where the build did not record it
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339 in UTC
	Modified bool   `json:"modified,omitempty"` // files differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Engine   string `json:"engine"` // the embedded ClickHouse that it wants
}

// version is set by the build of the image, which has no repository to read it from (-ldflags -X).
var version string

// Build reads what the Go tool wrote into the program.
func Build() BuildInfo {
	b := BuildInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Engine: embedded.Engine}
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
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is one line about it.
func (b BuildInfo) String() string {
	line := "ordersync " + b.Version
	if b.Revision != "" {
		line += " commit " + b.Revision
		if b.Time != "" {
			line += " of " + b.Time
		}
		if b.Modified {
			line += ", modified"
		}
	}
	return line + " " + b.Go + " " + b.Platform + ", embedded ClickHouse " + b.Engine
}
