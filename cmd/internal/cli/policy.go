package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/source/domain"
)

// ramPolicy is a policy as Alibaba Cloud's RAM takes it.
type ramPolicy struct {
	Version   string
	Statement []ramStatement
}

type ramStatement struct {
	Effect   string
	Action   []string
	Resource string
}

// policy prints the RAM policy of the configuration's accounts. It is wanted before there is a key, so it needs no
// credentials; and before there is a configuration, where it is that of a bss account.
func (p *program) policy(cancel bool) error {
	cfg, err := p.loadOffline()
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.file == "":
		fmt.Fprintln(p.console, "There is no configuration yet: this is the policy of an account with source bss.")
		cfg = config.Default()
		cfg.Accounts = []config.Account{config.NewAccount("main", config.SourceBSS)}
	case err != nil:
		return err
	}
	if err := cfg.RequireAccounts(); err != nil {
		return err
	}
	out := ramPolicy{Version: "1"}
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		s := ramStatement{Effect: "Allow"}
		switch a.Source {
		case config.SourceBSS: // these actions know no narrower resource
			s.Action, s.Resource = bss.RAMActions(a.APIVersion, cancel), "*"
		case config.SourceDomain:
			s.Action, s.Resource = []string{domain.RAMAction}, domain.RAMResource
		default:
			fmt.Fprintf(p.console, "%s: %s has no RAM policies; its key may do what its user may do.\n", a.Name, a.Source)
			continue
		}
		if !slices.ContainsFunc(out.Statement, func(have ramStatement) bool { return slices.Equal(have.Action, s.Action) }) {
			out.Statement = append(out.Statement, s)
		}
	}
	if len(out.Statement) == 0 {
		return errors.New("no account of the configuration has a RAM policy")
	}
	p.json(out)
	return nil
}
