package simulator

import (
	"bytes"
	"slices"
)

// The functions here alter a row of a listing or a line of a detail. They know that it is an object in the simulator's
// own compact JSON, or else what another of them made of it, which they leave alone.

type alteration = func(s *stream, n int, row []byte) []byte

var rowSpoilers = []alteration{badAmount, longAmount, noOrderID, badCreateTime, noCreateTime, rowIsNumber}

func anyOf(all ...alteration) alteration {
	return func(s *stream, n int, row []byte) []byte { return all[s.n(len(all))](s, n, row) }
}

func badAmount(_ *stream, _ int, row []byte) []byte {
	return setField(row, "PretaxAmount", `"12,34.5x"`)
}

func longAmount(_ *stream, _ int, row []byte) []byte {
	return setField(row, "PretaxGrossAmount", `"1234567890123456789012345678901234567890.12"`)
}

func noOrderID(_ *stream, _ int, row []byte) []byte { return setField(row, "OrderId", "") }

func badCreateTime(s *stream, _ int, row []byte) []byte {
	bad := [...]string{`"2026-02-30T25:61:00Z"`, `"yesterday"`, `"20261-03-02T00:00:00Z"`}
	return setField(row, "CreateTime", bad[s.n(len(bad))])
}

func noCreateTime(_ *stream, _ int, row []byte) []byte { return setField(row, "CreateTime", "") }

// rowIsNumber sends the order's id alone, so that two such rows differ.
func rowIsNumber(_ *stream, _ int, row []byte) []byte {
	from, to := findField(row, "OrderId")
	if from < 0 {
		return nil
	}
	return slices.Clone(bytes.Trim(row[from:to], `"`))
}

// badLine spoils the first line of a detail.
func badLine(s *stream, n int, row []byte) []byte {
	if n > 0 {
		return nil
	}
	return anyOf(badAmount, longAmount, noOrderID, rowIsNumber, badQuantity, badUsage)(s, n, row)
}

func badQuantity(_ *stream, _ int, row []byte) []byte { return setField(row, "Quantity", `"many"`) }

func badUsage(_ *stream, _ int, row []byte) []byte {
	return setField(row, "UsageEndTime", `"2026-02-30T25:61:00Z"`)
}

func unknownFields(_ *stream, _ int, row []byte) []byte {
	return setField(setField(row, "DiscountPlan", `{"Name":"新","Steps":[1,2.50,{}]}`), "zz", "null")
}

func unknownValues(_ *stream, _ int, row []byte) []byte {
	return setField(setField(row, "OrderType", `"Metamorphosis"`), "SubscriptionType", `"lease-to-own"`)
}

func unknownStatus(_ *stream, _ int, row []byte) []byte {
	return setField(row, "PaymentStatus", `"PartiallyPaid"`)
}

// setField gives the row with another value for a field, or without the field where the value is empty. What is no
// object gives nil.
func setField(row []byte, key, value string) []byte {
	if len(row) == 0 || row[0] != '{' {
		return nil
	}
	from, to := findField(row, key)
	switch {
	case value == "" && from < 0:
		return nil
	case value == "":
		from -= len(key) + len(`"":`)
		if row[to] == ',' {
			to++
		} else {
			from-- // the comma before the last field
		}
		return slices.Concat(row[:from], row[to:])
	case from < 0:
		return slices.Concat(row[:len(row)-1], []byte(`,"`+key+`":`+value+`}`))
	}
	return slices.Concat(row[:from], []byte(value), row[to:])
}

// findField finds where a field's value begins and ends; -1 where there is none.
func findField(row []byte, key string) (from, to int) {
	k := []byte(`"` + key + `":`)
	i := bytes.Index(row, k)
	if i < 0 {
		return -1, -1
	}
	from = i + len(k)
	to = from
	for quoted, depth := false, 0; ; to++ {
		switch c := row[to]; {
		case quoted && c == '\\':
			to++
		case c == '"':
			quoted = !quoted
		case quoted:
		case depth == 0 && (c == ',' || c == '}'):
			return from, to
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
}
