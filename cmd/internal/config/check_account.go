package config

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxPageSize is the documented maximum of sibling actions of the BSS API; the
	// order actions document none.
	maxPageSize = 300
	// maxQuota stands for "no limit of our own": no vendor allows so many calls.
	maxQuota = 100_000
)

// accountName is safe in a metric's label, a file name and a log line.
var accountName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (c *checker) accounts(accounts []Account) {
	first := map[string]string{}
	for i := range accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		a := &accounts[i]
		at := path + ".name"
		switch other, exists := first[a.Name]; {
		case a.Name == "":
			c.fail(at, "is required (it labels every row of the account)")
		case !accountName.MatchString(a.Name):
			c.fail(at, "%s is not a name (1 to 64 letters, digits, . _ -)", c.show(at, a.Name))
		case exists:
			c.fail(at, "%s is the name of %s already (names are unique)", c.show(at, a.Name), other)
		default:
			first[a.Name] = path
		}
		c.account(a, path)
	}
}

func (c *checker) account(a *Account, path string) {
	if a.Endpoint != "" && !goodEndpoint(a.Endpoint) {
		// The value is not shown: someone may have written user:password@host.
		c.fail(path+".endpoint", "must be http(s)://host[:port] and nothing behind it, not even a slash")
	}
	for _, q := range []struct {
		key   string
		value float64
	}{{"list", a.Quota.List}, {"detail", a.Quota.Detail}} {
		if at := path + ".quota." + q.key; !(q.value > 0 && q.value <= maxQuota) { // NaN fails too.
			c.fail(at, "%s calls per second are not more than 0 and at most %d (the vendor's own default is 10)",
				c.show(at, strconv.FormatFloat(q.value, 'g', -1, 64)), maxQuota)
		}
	}
	if at := path + ".page_size"; a.PageSize < 1 || a.PageSize > maxPageSize {
		c.fail(at, "%s is not from 1 to %d (20 is advised)", c.show(at, strconv.Itoa(a.PageSize)), maxPageSize)
	}
	if c.oneOf(path+".source", a.Source, SourceBSS, SourceUniCloud, SourceDomain) {
		c.bySource(a, path)
	}
	if !c.offline {
		c.credentials(&a.Credentials, a.Source, path+".credentials")
	}
}

// bySource checks the keys that only some sources have. One that has no effect
// is an error: the user believes that it has.
func (c *checker) bySource(a *Account, path string) {
	for _, k := range []struct {
		key, value string
		sources    []string
	}{
		{"site", a.Site, []string{SourceBSS}},
		{"api_version", a.APIVersion, []string{SourceBSS}},
		{"signature_version", a.SignatureVersion, []string{SourceUniCloud}},
		{"timezone", a.Timezone, []string{SourceUniCloud, SourceDomain}},
		{"owner_ids", strings.Join(a.OwnerIDs, ","), []string{SourceBSS}},
		{"member_uids", strings.Join(a.MemberUIDs, ","), []string{SourceBSS}},
		{"filters.product_code", a.Filters.ProductCode, []string{SourceBSS, SourceUniCloud}},
		{"filters.product_type", a.Filters.ProductType, []string{SourceBSS}},
		{"filters.subscription_type", a.Filters.SubscriptionType, []string{SourceBSS}},
		{"filters.order_type", a.Filters.OrderType, []string{SourceBSS}},
	} {
		if k.value != "" && !slices.Contains(k.sources, a.Source) {
			c.fail(path+"."+k.key, "has no effect for source %s, only for %s (remove it)", a.Source, strings.Join(k.sources, " and "))
		}
	}
	c.filters(&a.Filters, path+".filters")
	if a.Source == SourceBSS {
		c.bss(a, path)
		return
	}
	if a.Source == SourceUniCloud {
		c.oneOf(path+".signature_version", a.SignatureVersion, "1.0", "2.0")
	}
	c.timezone(path+".timezone", a.Timezone)
}

// timezone checks the name of a time zone. "Local" would make the meaning of a time depend on the machine.
func (c *checker) timezone(path, name string) {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		c.fail(path, "%s is not an IANA time zone (such as Asia/Shanghai or UTC)", c.show(path, name))
	}
}

// The values that the vendor documents for its filters. It may answer one that it does not know with an empty list, which
// would look as if there were no orders.
var (
	filterWord        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	subscriptionTypes = []string{"Subscription", "PayAsYouGo"}
	orderTypes        = []string{"New", "Renew", "Upgrade", "TempUpgrade", "Downgrade", "Refund", "Convert", "ResizeDisk",
		"CompensatoryRenew", "IncreaseUpgrade", "Exchange", "ChangeOperatingSystem"}
)

// filters checks the values of the filters. One that is written and empty may be a variable without a value: it would sync
// all orders where some are meant.
func (c *checker) filters(f *Filters, path string) {
	for _, x := range []struct {
		key, value string
		known      []string
	}{
		{"product_code", f.ProductCode, nil}, {"product_type", f.ProductType, nil},
		{"subscription_type", f.SubscriptionType, subscriptionTypes}, {"order_type", f.OrderType, orderTypes},
	} {
		at := path + "." + x.key
		_, written := c.fields[at]
		switch {
		case c.failed(at):
		case x.value == "" && written:
			c.fail(at, "is empty (give it one value as the vendor writes it, or remove the key)")
		case x.value == "":
		case x.known != nil:
			c.oneOf(at, x.value, x.known...)
		case !filterWord.MatchString(x.value):
			c.fail(at, "%s is not one value as the vendor writes it, such as rds (letters, digits, . _ -)", c.show(at, x.value))
		}
	}
}

func (c *checker) bss(a *Account, path string) {
	c.oneOf(path+".site", a.Site, SiteChina, SiteInternational)
	version := path + ".api_version"
	known := c.oneOf(version, a.APIVersion, APIVersion2017, APIVersion2023) && !c.failed(version)
	c.ids(path+".owner_ids", a.OwnerIDs)
	c.ids(path+".member_uids", a.MemberUIDs)
	if known && a.APIVersion == APIVersion2023 && len(a.OwnerIDs) > 0 {
		c.fail(path+".owner_ids", "belongs to api_version %s (use member_uids, or change api_version)", APIVersion2017)
	}
	if known && a.APIVersion == APIVersion2017 && len(a.MemberUIDs) > 0 {
		c.fail(path+".member_uids", "belongs to api_version %s (use owner_ids, or change api_version)", APIVersion2023)
	}
}

// ids checks account numbers, which the API declares as int64.
func (c *checker) ids(path string, ids []string) {
	given := make(map[string]bool, len(ids))
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", path, i)
		n, err := strconv.ParseInt(id, 10, 64)
		switch {
		case err != nil || n <= 0 || strconv.FormatInt(n, 10) != id:
			c.fail(at, "%s is not an account number (digits only)", c.show(at, id))
		case given[id]:
			c.fail(at, "%s is given twice (remove one)", c.show(at, id))
		}
		given[id] = true
	}
}

var roleSessionName = regexp.MustCompile(`^[A-Za-z0-9.@_-]{2,64}$`)

// credentials checks that the keys belong together. No value is ever shown.
func (c *checker) credentials(cr *Credentials, source, path string) {
	if c.failed(path) || c.failed(path+".type") {
		return
	}
	kind := cr.Kind()
	rule, exists := credentialsKeys[kind]
	if !exists {
		c.oneOf(path+".type", string(kind), string(CredentialsDefault), string(CredentialsAccessKey), string(CredentialsSTS),
			string(CredentialsRAMRole), string(CredentialsECSRole), string(CredentialsOIDCRole), string(CredentialsURI))
		return
	}
	if source == SourceUniCloud && kind != CredentialsAccessKey {
		c.fail(path, "source %s takes an access key only (give access_key_id and access_key_secret, nothing else)", source)
		return
	}
	for _, kv := range cr.values() {
		at := path + "." + kv.key
		_, written := c.fields[at]
		needed := slices.Contains(rule.needs, kv.key)
		switch {
		case c.failed(at): // it could not be read at all
		case kv.value == "" && written:
			// An empty variable must not lead to another login by the default chain.
			c.fail(at, "is empty (give it a value, or remove the key)")
		case kv.value == "" && needed:
			c.fail(at, "is required for credentials of type %s (give it; they need %s)", kind, strings.Join(rule.needs, ", "))
		case kv.value != "" && !needed && !slices.Contains(rule.may, kv.key):
			c.fail(at, "does not belong to credentials of type %s (remove it or %s)", kind, whyKind(cr))
		case kv.value != "":
			c.credential(at, kv)
		}
	}
}

// whyKind tells how a kind that the user did not name came about.
func whyKind(cr *Credentials) string {
	if cr.Type != "" {
		return "correct the type"
	}
	return "the keys that make them so"
}

// credential checks the form of one value.
func (c *checker) credential(at string, kv keyValue) {
	switch kv.key {
	case "role_arn", "oidc_provider_arn":
		if !strings.HasPrefix(kv.value, "acs:ram::") {
			c.fail(at, "is not an ARN (it begins with acs:ram::)")
		}
	case "role_session_name":
		if !roleSessionName.MatchString(kv.value) {
			c.fail(at, "is not a session name (2 to 64 letters, digits, . @ _ -)")
		}
	case "role_session_expiration":
		d, _ := time.ParseDuration(kv.value) // it is a duration's own text
		c.span(at, d, 15*time.Minute, 12*time.Hour)
	case "sts_endpoint":
		if !goodHost(kv.value, false) && !hostPort(kv.value, false) {
			c.fail(at, "is not the name of a host (such as sts.cn-hangzhou.aliyuncs.com, without https://)")
		}
	case "policy":
		if !json.Valid([]byte(kv.value)) {
			c.fail(at, "is not JSON (paste the policy as RAM shows it)")
		}
	case "credentials_uri":
		u, err := url.Parse(kv.value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			c.fail(at, "is not an http(s) address")
		}
	}
}
