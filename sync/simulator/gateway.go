package simulator

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// operation is one action in one version.
type operation struct {
	vendor          *vendor
	action, version string
	ram             string // the RAM action that permits it
	quota           func(Quota) float64
	// ask fills in what a fault may want to know and refuses what is malformed.
	ask func(*call) *Error
	// act does what the action is for before it is answered, where that is not just reading, or says why not.
	act func(*call) *Error
	// answer writes the success body; the data are locked. The parts that a fault alters are in the call.
	answer func(*call, []byte) []byte
}

// call is one admitted request.
type call struct {
	account   *Account // who asks
	data      *Account // whose orders: the account's, an owner's or a member's
	args      url.Values
	requestID string
	question  FaultRequest
	action    Action
}

// exchange is one HTTP request on its way.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	done   <-chan struct{}
	id     string
	buf    []byte
	vendor *vendor // who answers
	action string
	xml    bool
	// count records what became of the call; nil once that is done, and for requests that were no call of anyone.
	count func(outcome)
}

// settle counts the call, once.
func (x *exchange) settle(result outcome) {
	if x.count != nil {
		x.count(result)
		x.count = nil
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, id: requestID(s.requests.Add(1)), vendor: bss}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.inflight.Add(1)
	x.done = s.done
	s.mu.Unlock()
	defer s.inflight.Done()

	buf := buffers.Get().(*[]byte)
	x.buf = (*buf)[:0]
	defer func() {
		*buf = x.buf
		buffers.Put(buf)
	}()

	c, op, err := s.receive(x)
	if err != nil {
		s.refuse(x, err, &Action{})
		return
	}
	// A fault may leave by a panic, and the call must be counted all the same.
	x.count = func(result outcome) { c.account.traffic.done(op, result, !c.action.none()) }
	defer x.settle(outcomeFailed)
	err = s.permit(c, op)
	if err == nil {
		err = op.ask(c)
	}
	if err != nil {
		s.refuse(x, err, &Action{})
		return
	}
	if f := c.account.fault.Load(); f != nil {
		c.action = (*f)(c.question)
	}
	s.serve(x, c, op)
}

// serve answers an admitted call, as the fault has it.
func (s *Server) serve(x *exchange, c *call, op *operation) {
	f := &c.action
	if !s.pause(x, c.account.latency(&c.question)) || !s.pause(x, f.Delay) {
		panic(http.ErrAbortHandler)
	}
	switch {
	case f.Hang:
		select {
		case <-x.r.Context().Done():
		case <-x.done:
		}
		panic(http.ErrAbortHandler)
	case f.Error != nil:
		s.refuse(x, f.Error, f)
	case f.Status != 0:
		s.send(x, f.Status, []byte(f.Body), f, outcomeFailed)
	default:
		if op.act != nil {
			if err := op.act(c); err != nil {
				s.refuse(x, err, f)
				return
			}
		}
		x.buf = x.format(c.answer(op, x.buf), x.action)
		s.send(x, http.StatusOK, x.buf, f, outcomeOK)
	}
}

// answer writes the success body while nobody changes the data.
func (c *call) answer(op *operation, b []byte) []byte {
	c.data.mu.RLock()
	defer c.data.mu.RUnlock()
	return op.answer(c, b)
}

// refuse answers with an error.
func (s *Server) refuse(x *exchange, e *Error, f *Action) {
	if x.vendor.translate != nil {
		e = x.vendor.translate(e)
	}
	s.mu.Lock()
	s.errors[e.Code]++
	s.mu.Unlock()
	for k, v := range e.header {
		x.w.Header()[k] = v
	}
	x.buf = x.vendor.appendError(x.buf, x, e)
	result := outcomeFailed
	if strings.HasPrefix(e.Code, "Throttling") {
		result = outcomeThrottled
	}
	s.send(x, e.Status, x.buf, f, result)
}

const maxBody = 1 << 20

// receive reads a request, finds its account and checks who sent it.
func (s *Server) receive(x *exchange) (*call, *operation, *Error) {
	r := x.r
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, nil, errMethod
	}
	switch r.URL.Path {
	case bss.path: // and domain's
	case unicloud.path:
		x.vendor = unicloud
	default:
		return nil, nil, errUnknownAction
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, r.Body, maxBody))
	if err != nil {
		return nil, nil, errTooLarge
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, nil, errParameter("query", r.URL.RawQuery)
	}
	args := query
	if len(body) > 0 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if args, err = url.ParseQuery(string(body)); err != nil {
			return nil, nil, errParameter("body", "")
		}
		for k, v := range query {
			args[k] = append(v, args[k]...)
		}
	}
	op, refusal := x.route(args)
	if refusal != nil {
		return nil, nil, refusal
	}
	claim, refusal := readClaim(r, query, args, body)
	if refusal != nil {
		return nil, nil, refusal
	}
	s.mu.Lock()
	account := s.accounts[claim.keyID]
	s.mu.Unlock()
	if account == nil || account.vendor != op.vendor {
		return nil, nil, errUnknownKey
	}
	if account.clock.Load() != nil {
		x.w.Header()["Date"] = []string{account.now().UTC().Format(http.TimeFormat)}
	}
	if refusal := s.authenticate(claim, account); refusal != nil {
		return nil, nil, refusal
	}
	return &call{account: account, args: args, requestID: x.id}, op, nil
}

// authenticate checks everything that a request claims about its sender.
func (s *Server) authenticate(c *claim, a *Account) *Error {
	now := a.now()
	if off := now.Sub(c.at); off > skew || off < -skew {
		return errExpired
	}
	if c.algorithm == v1 && !slices.Contains(a.vendor.signatureVersions, c.version) ||
		a.vendor == unicloud && a.o.SignatureVersion != "" && a.o.SignatureVersion != c.version {
		return errIncomplete
	}
	if a.o.SecurityToken != c.token {
		return errToken
	}
	if !c.verify(a.o.AccessKeySecret) {
		return errSignature
	}
	if !s.nonces.use(c.keyID, c.nonce, now) {
		return errNonceUsed
	}
	return nil
}

// route finds the operation: by header, as the current SDKs send it, or by the parameters of the older protocol.
func (x *exchange) route(args url.Values) (*operation, *Error) {
	headers := x.r.Header.Get("Authorization") != ""
	action, version := args.Get("Action"), args.Get("Version")
	if headers {
		action, version = x.r.Header.Get("X-Acs-Action"), x.r.Header.Get("X-Acs-Version")
	}
	if action == "" {
		return nil, errMissing("Action")
	}
	if version == "" {
		return nil, errMissing("Version")
	}
	var op *operation
	known := false
	for i := range operations {
		if o := &operations[i]; o.vendor.path == x.r.URL.Path && o.action == action {
			known = true
			if o.version == version {
				op = o
			}
		}
	}
	switch {
	case op != nil:
	case known:
		return nil, errVersion
	case slices.Contains(unsupportedActions, action):
		return nil, errUnsupported
	default:
		return nil, errUnknownAction
	}
	x.vendor, x.action = op.vendor, action
	if headers {
		if op.vendor.v1Only {
			return nil, errIncomplete
		}
		return op, nil
	}
	// The vendor documents XML as this protocol's default. Nobody wants it of BSS, so for that the simulator only has JSON.
	f := args.Get("Format")
	var ok bool
	if x.xml, ok = op.vendor.formats[strings.ToLower(f)]; !ok {
		return nil, errParameter("Format", f)
	}
	return op, nil
}

// permit counts a call, and checks permission, quota and whose orders it asks for.
func (s *Server) permit(c *call, op *operation) *Error {
	a := c.account
	d := a.traffic.admit(op, a.o.Now)
	if slices.Contains(a.o.DeniedActions, op.action) || slices.Contains(a.o.DeniedActions, op.ram) {
		return errPermission(op.ram)
	}
	if d.refused {
		return errThrottled(d.limit, d.retry)
	}
	c.data = a
	c.question = FaultRequest{API: op.action, Version: op.version, Account: a.o.AccessKeyID, Number: d.number}
	if a.vendor != bss {
		return nil
	}
	if a.o.WrongSite != 0 {
		wrong := *errNotApplicable
		wrong.Status = a.o.WrongSite
		return &wrong
	}
	return c.whose(op)
}

// whose finds out whose orders a call to BSS asks for: the login's, a customer's or a member account's.
func (c *call) whose(op *operation) *Error {
	ask := func(parameter string) *Error {
		id := c.args.Get(parameter)
		if id == "" {
			return nil
		}
		if _, err := strconv.ParseInt(id, 10, 64); err != nil {
			return errParameter(parameter, id)
		}
		a := c.data
		a.mu.RLock()
		defer a.mu.RUnlock()
		if c.data = a.others[other{parameter, id}]; c.data == nil {
			return errOwner
		}
		c.question.OwnerID = id
		return nil
	}
	if err := ask("OwnerId"); err != nil || op.version != version2023 {
		return err
	}
	return ask("MemberUid")
}

// latency is how long the vendor thinks about a question: the same each time it is asked.
func (a *Account) latency(q *FaultRequest) time.Duration {
	l := a.o.Latency
	if l.Jitter <= 0 {
		return l.Fixed
	}
	id, _ := strconv.ParseUint(strings.TrimPrefix(q.OrderID, "D"), 10, 64)
	s := newRandom(a.o.Seed, id^uint64(q.Start.Unix())^uint64(q.Page)<<40, purposeLatency)
	return l.Fixed + time.Duration(s.between(0, int64(l.Jitter)))
}

// requestID is a UUID in the vendor's spelling, a function of the request's number.
func requestID(number uint64) string {
	const hex = "0123456789ABCDEF"
	s := newRandom(0, number, purposeRequest)
	var id [36]byte
	word := s.next()
	for i := range id {
		switch i {
		case 8, 13, 18, 23:
			id[i] = '-'
			continue
		case 16, 26:
			word = s.next()
		}
		id[i] = hex[word&15]
		word >>= 4
	}
	id[14] = '4'
	return string(id[:])
}
