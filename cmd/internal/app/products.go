package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/stream"
)

const (
	productsAPI   = "products"
	productsQuota = 10 // calls a second that the vendor allows for QueryProductList
	productsEvery = 24 * time.Hour
	productsAgain = time.Hour // how soon the daemon tries again what failed and was not refused
)

// products is what a login needs for its product names.
type products struct {
	budget *source.Budget
	due    time.Time // when the daemon asks next; zero for at once
}

// ProductLister is a client whose vendor tells the names of its products.
type ProductLister interface {
	Products(ctx context.Context, page, size int) ([]schema.Product, int, error)
}

// ProductNames is what became of the product names of one account.
type ProductNames struct {
	Account string `json:"account"`
	Names   int    `json:"names"`
	Known   bool   `json:"supported"` // whether the source tells names at all
	Err     error  `json:"-"`         // why the account's names are those of before
}

// Products refreshes the product names of every account whose source tells them. Open must have been called. What concerns
// one account is in its ProductNames.
func (a *App) Products(ctx context.Context) []ProductNames {
	return a.refreshProducts(daemon.WithRun(ctx), a.names(), a.logins...)
}

// refreshProducts is one run in the history.
func (a *App) refreshProducts(ctx context.Context, accounts []string, logins ...*login) (out []ProductNames) {
	p := new(stream.Progress)
	end := a.history.Record(ctx, sink.RunProducts, accounts, time.Time{}, time.Time{}, p)
	var errs []error
	for _, l := range logins {
		n := a.productsOf(ctx, l, p)
		out, errs = append(out, n), append(errs, n.Err)
	}
	end(daemon.Outcome{Err: errors.Join(errs...)})
	return out
}

func (a *App) productsOf(ctx context.Context, l *login, p *stream.Progress) ProductNames {
	n := ProductNames{Account: l.name}
	lister, ok := l.client.(ProductLister)
	if !ok {
		return n
	}
	n.Known = true
	if l.products.budget == nil {
		l.products.budget = source.NewBudget(productsQuota)
	}
	list, err := l.allProducts(ctx, lister, p)
	if err == nil {
		err = a.blame(ctx, a.warehouse.WriteProducts(ctx, list))
	}
	n.Names, n.Err = len(list), err
	return n
}

// maxProductPages bounds the pages that are read of a list of products: a hundred times as many as the vendor has.
const maxProductPages = 200

// allProducts reads the whole list. It has no order that is documented, so a list that moved while it was read is found
// out by its number. Nor does that end it where the last page is full: a vendor may count no further than a limit of its own.
// Each page must show a product that none before it did: a vendor that repeats its last page for ever would never come to an end.
func (l *login) allProducts(ctx context.Context, from ProductLister, progress *stream.Progress) ([]schema.Product, error) {
	type page struct {
		products []schema.Product
		total    int
	}
	type key struct{ code, kind, subscription string }
	seen := map[key]bool{}
	var all []schema.Product
	whole := false // as many as their number says
	for n := 1; n <= maxProductPages; n++ {
		before := len(all)
		p, err := source.Call(ctx, l.caller, productsAPI, l.products.budget, func(ctx context.Context) (p page, err error) {
			progress.ListCalls.Add(1)
			p.products, p.total, err = from.Products(ctx, n, bss.MaxProductPage)
			return p, err
		})
		switch {
		case whole && source.ReasonOf(err) == source.BadRequest:
			return all, nil // there is no such page
		case err != nil:
			return nil, err
		}
		for _, product := range p.products {
			if k := (key{product.ProductCode, product.ProductType, product.SubscriptionType}); !seen[k] {
				seen[k] = true
				all = append(all, product)
			}
		}
		whole = len(all) >= p.total
		switch {
		case whole && (len(p.products) < bss.MaxProductPage || len(all) == before):
			return all, nil
		case len(all) == before:
			return nil, fmt.Errorf("account %s: the vendor names %s and shows %d of them, and page %d has no further one: run `ordersync products` again",
				l.name, schema.Plural(p.total, "product"), len(all), n)
		}
	}
	return nil, fmt.Errorf("account %s: the list of products does not end after %d pages with %s: run `ordersync products` again",
		l.name, maxProductPages, schema.Plural(len(all), "product"))
}

// productsDue refreshes the names of an account once a day. Scheduled runs call it. Names are a convenience: that they could not be
// had is logged and is in the history, and makes no scheduled run fail.
func (a *App) productsDue(ctx context.Context, l *login, now time.Time) {
	if _, ok := l.client.(ProductLister); !ok || now.Before(l.products.due) {
		return
	}
	if l.products.due.IsZero() { // another process may have asked
		last, err := a.warehouse.ProductsFetched(ctx, l.name)
		if err == nil && now.Before(last.Add(productsEvery)) {
			l.products.due = last.Add(productsEvery)
			return
		}
	}
	n := a.refreshProducts(ctx, []string{l.name}, l)[0]
	if ctx.Err() != nil {
		return
	}
	if n.Err != nil {
		l.products.due = now.Add(productsAgain)
		if source.ReasonOf(n.Err) == source.Auth { // only a person changes that, and each try is a failed run in the history
			l.products.due = now.Add(productsEvery)
		}
		a.log.WarnContext(ctx, "the product names could not be refreshed; those of before stay", "account", l.name, "error", n.Err)
		return
	}
	l.products.due = now.Add(productsEvery)
	a.log.InfoContext(ctx, "the product names are refreshed", "account", l.name, "names", n.Names)
}
