package schema

import "strings"

// lineFacts are the columns of spend that say what a line item is in money: what of it is paid and when, and what it is counted
// under. A close has a digest of them, and what moved since is where one of them differs. Names of products and operators are
// not among them: they are those of today. Each has the function that makes a text of it, which no setting of a server changes.
var lineFacts = []struct{ text, columns string }{
	{"ifNull(toString(toUnixTimestamp64Milli(%)), '')", "create_time payment_time"},
	{"toString(%)", "kind order_type product_code product_type subscription_type region operator currency payment_currency"},
	{"ifNull(toDecimalString(%, 12), '')", "list_price net tax net_after_tax net_local unpaid unpaid_after_tax"},
}

// eachFact writes a list of SQL with one element for each fact.
func eachFact(element func(text, column string) string) string {
	var out []string
	for _, f := range lineFacts {
		for _, column := range strings.Fields(f.columns) {
			out = append(out, element(f.text, column))
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// factNames are the names of the facts of a line of spend, as an array of SQL.
func factNames() string { return eachFact(func(_, column string) string { return Quote(column) }) }

// factTexts are the facts of a line of spend as texts, in the order of their names, as an array of SQL.
func factTexts() string {
	return eachFact(func(text, column string) string { return strings.ReplaceAll(text, "%", column) })
}

// DigestSQL is the digest of lines of spend, as an aggregate of SQL: the sum of a SHA-256 of each line, with the length of each
// text before it, so that it does not depend on the order of the lines.
func DigestSQL() string {
	return "lower(hex(sum(reinterpretAsUInt256(SHA256(arrayStringConcat(arrayMap(t -> concat(toString(length(t)), ':', t), " +
		"arrayConcat([toString(account), toString(owner_id), order_id, item_id], " + factTexts() + "))))))))"
}

// closedAt is the moment at which the month of the column create_time was last closed, as an expression of SQL: 1970 where it
// never was in the reporting zone.
func closedAt() string {
	const closed = `(SELECT tuple(groupArray(number), groupArray(moment)) FROM
            (SELECT DISTINCT toYYYYMM(month) AS number, toUnixTimestamp64Milli(closed_at) AS moment FROM closes WHERE is_latest AND zone = ` + zoneMark + `))`
	return "fromUnixTimestamp64Milli(transform(toYYYYMM(create_time, " + zoneMark + "), " + closed + ".1, " + closed + ".2, toInt64(0)), 'UTC')"
}
