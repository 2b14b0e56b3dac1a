package app

import "time"

// ClaimEvery makes an app that was not started renew its claims that often.
func (a *App) ClaimEvery(d time.Duration) { a.leases.Every = d }
