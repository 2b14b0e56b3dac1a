package source

// CanList reports whether a client can list orders. One that cannot says so with a method CanList; its orders are fetched
// by their ids.
func CanList(c Client) bool {
	a, says := c.(interface{ CanList() bool })
	return !says || a.CanList()
}

// CanFilterStatus reports whether a client's listing can be narrowed to a payment status. One whose listing cannot says so
// with a method CanFilterStatus; its unpaid orders are refreshed one by one.
func CanFilterStatus(c Client) bool {
	a, says := c.(interface{ CanFilterStatus() bool })
	return !says || a.CanFilterStatus()
}

// CanList is the wrapped client's.
func (c *Caller) CanList() bool { return CanList(c.client) }

// CanFilterStatus is the wrapped client's.
func (c *Caller) CanFilterStatus() bool { return CanFilterStatus(c.client) }
