package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
)

// load reads the configuration of a verb that calls vendors.
func (p *program) load() (*config.Config, error) { return p.loadFrom(config.Sources{}) }

// loadOffline reads the configuration of a verb that calls nobody, and so needs no credentials.
func (p *program) loadOffline() (*config.Config, error) {
	return p.loadFrom(config.Sources{Offline: true})
}

func (p *program) loadFrom(s config.Sources) (*config.Config, error) {
	s.File, s.Stdin, s.Environ = p.file, p.stdin, os.Environ()
	cfg, err := config.Load(s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w\nTo see ordersync work without any configuration: ordersync demo", err)
	}
	p.stdin = spent{} // it has no second configuration
	return cfg, err
}

// spent is standard input where it was or will be read for something else.
type spent struct{}

// Read is part of io.Reader.
func (spent) Read([]byte) (int, error) {
	return 0, errors.New("standard input is the configuration (-c -) and is read once: write one of the two into a file")
}

// loadForReading reads the configuration for a verb that only looks at the warehouse. Where no file was named and there
// is none, the default warehouse will do, if it is there: it must not be made by looking at it.
func (p *program) loadForReading() (*config.Config, error) {
	cfg, err := p.loadOffline()
	if _, named := os.LookupEnv(config.EnvFile); p.file != "" || named || !errors.Is(err, fs.ErrNotExist) {
		return cfg, err
	}
	byDefault := config.Default()
	if info, statErr := os.Stat(byDefault.ClickHouse.Embedded); statErr != nil || !info.IsDir() {
		return nil, err
	}
	return byDefault, nil
}

// flushEvery is for tests: that much sooner what was fetched is committed.
var flushEvery time.Duration

// withApp wires an app, opens its warehouse, does something with it and stops it.
func (p *program) withApp(ctx context.Context, o app.Options, do func(*app.App) error) error {
	return p.withAppBy(ctx, o, (*app.App).Open, do)
}

func (p *program) withAppBy(ctx context.Context, o app.Options, open func(*app.App, context.Context) error, do func(*app.App) error) error {
	d := p.download()
	// On a terminal the bar tells what goes well.
	o.Log, o.Progress, o.FlushEvery = p.logger(o.Config.Log, slog.LevelWarn), d.progress, flushEvery
	a, err := app.New(o)
	if err != nil {
		return err
	}
	err = open(a, ctx)
	d.close()
	if err == nil {
		err = do(a)
	}
	return errors.Join(err, a.Stop())
}

// patience is how long a person who waits for an answer is made to wait for a warehouse that has gone.
const patience = 10 * time.Second

// open opens a file to read, or standard input for "-", and says how to call it.
func (p *program) open(file string) (in io.ReadCloser, name string, err error) {
	if file == "-" {
		return io.NopCloser(p.in), "standard input", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	return f, file, nil
}

// withWarehouse does something with the warehouse of a configuration, for a verb that only reads it, or that runs nothing. Its logs are
// only shown where something is wrong.
func (p *program) withWarehouse(ctx context.Context, load func() (*config.Config, error), o app.WarehouseOptions, do func(*config.Config, *app.Warehouse) error) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	d := p.download()
	o.Log, o.Progress, o.Patience = p.logger(cfg.Log, slog.LevelWarn), d.progress, patience
	w, err := app.OpenWarehouse(ctx, cfg, o)
	d.close()
	if err != nil {
		return err
	}
	return errors.Join(do(cfg, w), w.Close())
}
