package simulator

import (
	"cmp"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Sites of an account. The site decides the currency: the vendor bills an account in China in CNY, elsewhere in USD.
const (
	SiteChina         = "china"
	SiteInternational = "international"
)

// Options describe an account and how the vendor treats it. The zero value is an empty account without limits.
type Options struct {
	Seed     uint64
	Orders   int       // exactly how many orders to generate; 0 makes an empty account that only Add fills
	From, To time.Time // their creation times, [From, To); by default the 30 days before Now
	BusyHour int       // orders in the one very busy hour; 0: 5% of all, 400 at most; negative: no such hour
	Vendor   string    // VendorBSS (default), VendorUniCloud or VendorDomain
	Site     string    // SiteChina (default) or SiteInternational; of BSS alone

	AccessKeyID     string // default "testid"
	AccessKeySecret string // default "testsecret"
	SecurityToken   string // when set, requests must carry it (temporary credentials)

	Now         func() time.Time // the vendor's clock; default time.Now
	OldestFirst bool             // order of a listing; a captured response shows the newest first, the default
	MaxPageSize int              // default 300, what the vendor documents for sibling APIs
	Boundary    Boundary
	Quota       Quota
	Latency     Latency
	// DeniedActions are refused with NoPermission: API names ("QueryOrders") or the RAM actions that the vendor
	// documents for them ("bss:DescribeOrderList").
	DeniedActions []string
	// WrongSite makes it an account of another site: every call to BSS is refused with NotApplicable. It is the HTTP
	// status of that, 400 or, for the variant in a successful answer's body, 200.
	WrongSite int

	// Zone is that of times without a zone, as UniCloud and the Domain API have them; default UTC+8.
	Zone *time.Location
	// DatesAsText writes the dates of UniCloud's listings as such texts. The documents leave their form open; the
	// default is what the detail's sample shows, milliseconds since 1970.
	DatesAsText bool
	// SignatureVersion is the only one that UniCloud accepts: "1.0" or "2.0", because its documents show both; by
	// default either.
	SignatureVersion string
}

// Boundary says which ends of [CreateTimeStart, CreateTimeEnd] belong to a listing. The vendor documents nothing, so a
// client must live with all four.
type Boundary int

// Boundaries.
const (
	BothIncluded Boundary = iota
	StartIncluded
	EndIncluded
	NeitherIncluded
)

// Latency is how long a call takes: Fixed and up to Jitter more, the same for the same question.
type Latency struct {
	Fixed, Jitter time.Duration
}

// Account is one login at the vendor with its orders. All methods may be called while a Server serves it.
type Account struct {
	o      Options
	vendor *vendor

	mu     sync.RWMutex
	orders []order            // by creation time, and so by id unless some were moved
	moved  bool               // an order has another creation time than it was made with
	held   bool               // what is paid is not delivered before Deliver
	adds   uint64             // calls of Add, so that each generates something else
	others map[other]*Account // whose orders this login sees, too

	traffic traffic
	fault   atomic.Pointer[Fault]
	clock   atomic.Pointer[time.Duration] // the vendor's clock minus Options.Now; nil where nobody has set it
}

// other is how a login names another account: by a parameter and its value.
type other struct{ parameter, id string }

// order is the compact record: what is not here is derived from the id.
type order struct {
	id       int64
	related  int64  // id of the order that this one renews, changes or refunds; 0 for none
	create   int64  // Unix seconds
	payDelay int32  // seconds from create to payment; negative where nothing was paid
	asset    uint32 // decides region and instances, shared with related orders
	calls    uint32 // detail calls answered; atomic
	revision uint16 // how often Change was called
	product  uint8  // index into catalog
	kind     uint8
	status   uint8
	lines    uint8 // line items at creation
	dropped  uint8 // bit set of those that vanished
	postpaid bool
	touched  int32 // seconds from create to the last change that a listing shows; 0 for none
	starts   int32 // where it refers to another: seconds from create to the end of that one's service
	term     uint8 // months that a subscription is bought for
	part     uint8 // of a refund the percentage that it gives back; else what a refund gave back
	details  uint8 // how often ChangeDetail was called
	extended bool  // renewed by a later order
	pending  bool  // paid and not delivered yet
}

// NewAccount generates an account. It panics where the options cannot be met: that is a mistake in a test, not in data.
func NewAccount(o Options) *Account {
	o.AccessKeyID = cmp.Or(o.AccessKeyID, "testid")
	o.AccessKeySecret = cmp.Or(o.AccessKeySecret, "testsecret")
	o.MaxPageSize = cmp.Or(o.MaxPageSize, 300)
	o.Vendor = cmp.Or(o.Vendor, VendorBSS)
	o.Site = cmp.Or(o.Site, SiteChina)
	o.Zone = cmp.Or(o.Zone, time.FixedZone("UTC+8", 8*60*60))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.To.IsZero() {
		o.To = o.Now().UTC().Truncate(time.Second)
	}
	if o.From.IsZero() {
		o.From = o.To.AddDate(0, 0, -30)
	}
	a := &Account{o: o, vendor: findVendor(o.Vendor), others: map[other]*Account{}}
	a.traffic.quota = o.Quota
	a.generate()
	return a
}

// AccessKeyID is the login's key id.
func (a *Account) AccessKeyID() string { return a.o.AccessKeyID }

// AccessKeySecret is the login's secret.
func (a *Account) AccessKeySecret() string { return a.o.AccessKeySecret }

// Options are the options in effect, with every default filled in.
func (a *Account) Options() Options { return a.o }

// Len is the number of orders.
func (a *Account) Len() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.orders)
}

// AddOwner makes another account's orders visible to this login under OwnerId, as a reseller sees a customer's.
// The customer needs no login of its own at the server.
func (a *Account) AddOwner(ownerID string, customer *Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.others[other{"OwnerId", ownerID}] = customer
}

// AddMember does the same for MemberUid, by which version 2023-09-30 names the member accounts of a company.
func (a *Account) AddMember(memberUID string, member *Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.others[other{"MemberUid", memberUID}] = member
}

// SetClock sets the vendor's clock: it is ahead of Options.Now by so much, or behind where that is negative. From then on
// the answers have its Date, and orders that are created after its now are not listed yet.
func (a *Account) SetClock(ahead time.Duration) { a.clock.Store(&ahead) }

// now is the time by the vendor's clock.
func (a *Account) now() time.Time {
	if ahead := a.clock.Load(); ahead != nil {
		return a.o.Now().Add(*ahead)
	}
	return a.o.Now()
}

// SetFault installs a hook that every request of this account passes; nil removes it.
func (a *Account) SetFault(f Fault) {
	if f == nil {
		a.fault.Store(nil)
		return
	}
	a.fault.Store(&f)
}

// indexes is the index range of orders with from <= create < to. The caller holds mu.
func (a *Account) indexes(from, to int64) (int, int) {
	lo := sort.Search(len(a.orders), func(i int) bool { return a.orders[i].create >= from })
	hi := sort.Search(len(a.orders), func(i int) bool { return a.orders[i].create >= to })
	return lo, max(lo, hi)
}

// seconds turns a half-open range into Unix seconds; zero times are open ends. Creation times have whole seconds, so
// both ends round up.
func seconds(from, to time.Time) (int64, int64) {
	up := func(t time.Time) int64 {
		if t.Nanosecond() > 0 {
			return t.Unix() + 1
		}
		return t.Unix()
	}
	lo, hi := int64(-1<<62), int64(1<<62)
	if !from.IsZero() {
		lo = up(from)
	}
	if !to.IsZero() {
		hi = up(to)
	}
	return lo, hi
}

// find returns the order with an id, or nil. The caller holds mu.
func (a *Account) find(id string) *order {
	n, ok := a.vendor.readID(id)
	if !ok {
		return nil
	}
	if a.moved {
		for i := range a.orders {
			if a.orders[i].id == n {
				return &a.orders[i]
			}
		}
		return nil
	}
	// Not slices.BinarySearch: that copies records, whose counters other readers are changing.
	i := sort.Search(len(a.orders), func(i int) bool { return a.orders[i].id >= n })
	if i == len(a.orders) || a.orders[i].id != n {
		return nil
	}
	return &a.orders[i]
}
