package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/source/keys"
	"github.com/ordersync/ordersync/sync/source/unicloud"
)

// Client is a vendor's client for one login.
type Client interface {
	source.Client
	Close()
	Clock() *source.Clock // what its answers say of the vendor's clock
}

// vendor says how the accounts of one source are wired.
type vendor struct {
	client  func(*config.Account, source.Options) (Client, error)
	decoder func(*config.Account) source.Decoder
	blank   source.Client // a client that nobody calls, for what all of them can do
	ids     idForm        // what its order ids look like
}

// idForm is what the order ids of a source look like. It is to keep mistakes from a vendor and from the table of tracked
// orders, so it allows all that a vendor may plausibly give out.
type idForm struct {
	pattern *regexp.Regexp
	words   string
}

var (
	// bss: a decimal number in all samples, of 15 digits today. unicloud: a Long by its documents, of 19 digits today.
	decimalIDs = idForm{regexp.MustCompile(`^[0-9]{1,32}$`), "digits only"}
	// domain: a D and digits in the samples of the documents.
	letteredIDs = idForm{regexp.MustCompile(`^[A-Za-z]{0,8}[0-9]{1,32}$`), "digits, mostly with a letter before them"}
)

// CheckOrderID says why a text cannot be the id of an order of a source.
func CheckOrderID(sourceName, id string) error {
	if form := vendors[sourceName].ids; !form.pattern.MatchString(id) {
		return fmt.Errorf("%q is not an order id of source %s (%s)", id, sourceName, form.words)
	}
	return nil
}

// vendors are the sources there are. A further one is wired by its line here; package source says what it must bring.
var vendors = map[string]vendor{
	config.SourceBSS:      {newBSS, func(*config.Account) source.Decoder { return bss.Decoder{} }, (*bss.Client)(nil), decimalIDs},
	config.SourceUniCloud: {newUniCloud, func(a *config.Account) source.Decoder { return unicloud.Decoder{Location: a.Location()} }, (*unicloud.Client)(nil), decimalIDs},
	config.SourceDomain:   {newDomain, func(a *config.Account) source.Decoder { return domain.Decoder{Location: a.Location()} }, (*domain.Client)(nil), letteredIDs},
}

func newBSS(a *config.Account, o source.Options) (Client, error) {
	return bss.New(bss.Options{Options: o, Site: a.Site, APIVersion: a.APIVersion, Credentials: credentials(a)})
}

func newUniCloud(a *config.Account, o source.Options) (Client, error) {
	return unicloud.New(unicloud.Options{
		Options: o, SignatureVersion: a.SignatureVersion, Location: a.Location(),
		AccessKeyID: a.Credentials.AccessKeyID, AccessKeySecret: a.Credentials.AccessKeySecret.Reveal(),
	})
}

func newDomain(a *config.Account, o source.Options) (Client, error) {
	return domain.New(domain.Options{Options: o, Credentials: credentials(a), Location: a.Location()})
}

func credentials(a *config.Account) keys.Credentials {
	c := &a.Credentials
	return keys.Credentials{
		Type:            string(c.Kind()),
		AccessKeyID:     c.AccessKeyID,
		AccessKeySecret: c.AccessKeySecret.Reveal(),
		SecurityToken:   c.SecurityToken.Reveal(),
		RoleARN:         c.RoleARN,
		RoleSessionName: c.RoleSessionName,
		Policy:          c.Policy,
		ExternalID:      c.ExternalID.Reveal(),
		RoleName:        c.ECSRoleName,
		OIDCProviderARN: c.OIDCProviderARN,
		OIDCTokenFile:   c.OIDCTokenFile,
		URI:             c.CredentialsURI.Reveal(),

		RoleSessionExpiration: c.RoleSessionExpiration, STSEndpoint: c.STSEndpoint,
	}
}

// NewClient makes the client of an account for one call at a time. transport may be nil.
func NewClient(a *config.Account, transport http.RoundTripper) (Client, error) {
	return vendors[a.Source].client(a, source.Options{Account: a.Name, Endpoint: a.Endpoint, MaxInFlight: 1, Transport: transport})
}

// Identity returns what tells the login of an account from others at its vendor: the account of the role that it assumes, all of
// whose roles read the same orders, or else the id of its access key, for which it may have to ask whoever issues its keys. It is
// not to be shown.
func Identity(ctx context.Context, a *config.Account) (string, error) {
	if role := strings.Split(a.Credentials.RoleARN, ":"); len(role) > 3 { // acs:ram::1234567890123456:role/name
		return "account " + role[3], nil
	}
	keys, err := keys.NewKeyring(credentials(a))
	if err != nil {
		return "", err
	}
	key, err := keys.Current(ctx)
	return key.ID, err
}

// offlineSource stands for a vendor that must not be called.
type offlineSource struct{ blank source.Client }

var errOffline = errors.New("this verb makes no call to the vendor")

// List is part of stream.Source.
func (offlineSource) List(context.Context, source.Query) (source.Page, error) {
	return source.Page{}, errOffline
}

// Detail is part of stream.Source.
func (offlineSource) Detail(context.Context, string, string) (source.Detail, error) {
	return source.Detail{}, errOffline
}

// CanList is part of stream.Source.
func (o offlineSource) CanList() bool { return source.CanList(o.blank) }

// CanFilterStatus is part of stream.Source.
func (o offlineSource) CanFilterStatus() bool { return source.CanFilterStatus(o.blank) }
