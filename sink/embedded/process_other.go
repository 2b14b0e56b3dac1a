//go:build !linux && !darwin

package embedded

import (
	"errors"
	"os"
	"syscall"
)

// The engine exists for Linux and macOS only. Elsewhere the program builds and runs with a ClickHouse of the user's own.

func serve(string, []string) int { return 1 }

func ownGroup() *syscall.SysProcAttr { return nil }

func tryLock(string) (*os.File, error) {
	return nil, errors.New("the embedded ClickHouse runs on Linux and macOS only; set clickhouse.addr to a ClickHouse of your own")
}
