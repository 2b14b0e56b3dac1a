// Package engine decides which windows are listed, in which order and on which streams: in a scheduled run, in a backfill,
// and when orders are fetched by their ids. What one run does on one stream is package stream; what the runs found goes to
// one committer, which writes large batches and in each the ledger rows last.
//
//	due windows ─► jobs (≤ 1 day) ─► a run on each stream ─► committer ─► rows, then ledger
//
// A stop ends the fetching and commits what was fetched; windows that were not finished are simply not in the ledger and
// come again.
//
// # Invariants
//
// They are cited by number where the code enforces them.
//
//   - I1: A window is committed only after the warehouse confirmed every row of it.
//   - I2: Windows tile time: no gap, no overlap in the ledger. (A listing may ask for one second more on each side; rows
//     are attributed to a window by their own creation time.)
//   - I3: Repeating any window, any number of times, changes nothing that was right.
//   - I4: Every record fetched becomes a row or a reject with its raw payload. Nothing is dropped, nothing is guessed.
//   - I5: Money never passes through a float. It is parsed from the raw JSON text; what does not fit is a reject, never
//     rounded.
//   - I6: Times become UTC at the decoding edge; a time outside the column's range is an error, never wrapped.
//   - I7: SIGKILL at any instant loses nothing committed and skips nothing uncommitted.
//   - I8: A run that lost data anywhere does not look green: exit code, metric, ledger and status page agree.
//   - I9: No order, item or change is ever counted twice by a reader of the published views.
//   - I10: Secrets appear in no log, error, page, metric or table.
//   - I11: An order is one row of the views, whatever the vendor changes about it: identity is (account, owner, order id).
//   - I12: A proof claims no more than was looked at in it; a finding ends by a look of the same depth.
//   - I13: What ordersync did not create it never changes: no object of a database, no file, nothing at a vendor but by
//     cancel.
//
// # How stale an order can be
//
// No vendor can be asked what was modified, so it depends on the age of an order when a change of it is noticed:
//
//   - created within Options.Lookback: by the next scheduled run that succeeds, which lists it again, where all of that can
//     be listed with a tenth of the list quota. Where there is more of it than that, its windows are listed in turn, with that
//     tenth, so that each is listed again within (orders of the lookback ÷ page size) ÷ (a tenth of the quota); the ledger says
//     when each was (listed_at). An order that is new there, however late it comes, is found by the next run, which counts;
//   - stored as unpaid and created within Options.Sweep: by the next scheduled run, too, when it is paid or cancelled,
//     since it is not listed among the unpaid any more; where a vendor cannot list those alone, each unpaid order is asked
//     for, or the whole range is listed again, whichever costs less;
//   - tracked by its id and unpaid: by the next run that asks for it, which is the next one within Options.Sweep of its
//     creation, and ever rarer ones after that, down to one a day;
//   - any other change that its list row shows: within Bounds.Rows, since all of the past is listed again within that, or by a
//     deep [audit.Audit.Verify] before. Where the quota is not enough for that, within as long as it takes: the ledger says when
//     each window was listed (listed_at);
//   - what only its detail shows, such as instances: at the ages of Options.Recheck, and then within Bounds.Details, or as long
//     as the quota of details takes (detailed_at). Where details are not fetched again by themselves, as is the default of an
//     account with more orders than a fifth of its quota is enough for, a change of a detail alone is noticed when the order is
//     fetched for another reason: its list row changes, or somebody asks for it by its id;
//   - of a stream that cannot list, paid or cancelled: within Bounds.Details, because a scrub fetches all its details, and
//     compares no list rows; without that bound it is noticed when somebody asks: a deep verification, or a fetch by its id.
//
// All of that is of a stream that a run asks. Where an account has several, one that orders nothing is asked more and more seldom,
// down to Options.Quiet, and what changes of its orders is noticed by the next run that asks it; see [window.Turns].
//
// An order that appears in a window before the lookback is found by the next verification, which counts, or by a scrub.
//
// # An order is one row
//
// A vendor may correct the creation time of an order, and an order may vanish. Whichever listing shows it at another time,
// or does not show it where it is stored, it is moved or removed in the same run, with its items; see moves.go and
// missing.go of package stream. An order that moves or vanishes before the lookback is noticed by the run that lists its
// window again, and by the next verification, which counts; one that is fetched by its id, when its detail says so.
package engine
