package schema

import "strings"

// States of a payment: what the words of the vendors mean. Every comparison of a payment status, here and in the views,
// goes by them.
const (
	StatePaid      = "paid"
	StateUnpaid    = "unpaid"
	StateCancelled = "cancelled"
	StateNone      = "none"  // none sent, as on refunds
	StateOther     = "other" // a word that no document has: it counts as no money
)

// paymentStates has each word that a vendor documents, in lower case. BSS says Unpaid, Paid and Cancelled in lists, and its
// details are documented with canceled; UniCloud documents PAID and spells the other like its American cousins; the words of
// domain are made of its flags by the decoder.
var paymentStates = [][2]string{
	{"paid", StatePaid},
	{"unpaid", StateUnpaid},
	{"cancelled", StateCancelled},
	{"canceled", StateCancelled},
	{"", StateNone},
}

// PaymentState is what a payment status means, whatever its case and the white space in it.
func PaymentState(status string) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(" \t\n\f\r", r):
			return -1
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, status)
	for _, s := range paymentStates {
		if s[0] == word {
			return s[1]
		}
	}
	return StateOther
}

// IsUnpaid reports whether a payment status means unpaid.
func IsUnpaid(status string) bool { return PaymentState(status) == StateUnpaid }

// StateSQL is PaymentState of the column payment_status, as an expression of SQL.
func StateSQL() string {
	words, states := make([]string, len(paymentStates)), make([]string, len(paymentStates))
	for i, s := range paymentStates {
		words[i], states[i] = Quote(s[0]), Quote(s[1])
	}
	return `transform(replaceRegexpAll(lower(payment_status), '\\s', ''), [` + strings.Join(words, ", ") + "], [" +
		strings.Join(states, ", ") + "], " + Quote(StateOther) + ")"
}
