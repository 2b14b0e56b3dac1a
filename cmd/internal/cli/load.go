package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// load reads the configuration.
func (p *program) load() (*config.Config, error) {
	cfg, err := config.Load(p.file, os.LookupEnv)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w\nTo see ordersync work without any configuration: ordersync demo", err)
	}
	return cfg, err
}

// loadForReading reads the configuration for a verb that only looks at the warehouse. Where no file was named and there
// is none, the default warehouse will do, if it is there: it must not be made by looking at it.
func (p *program) loadForReading() (*config.Config, error) {
	cfg, err := p.load()
	if _, named := os.LookupEnv(config.EnvFile); p.file != "" || named || !errors.Is(err, fs.ErrNotExist) {
		return cfg, err
	}
	byDefault := config.Default()
	if info, statErr := os.Stat(byDefault.ClickHouse.Embedded); statErr != nil || !info.IsDir() {
		return nil, err
	}
	return byDefault, nil
}
