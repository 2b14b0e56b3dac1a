package field

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

func TestMoney(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.00": "0", "0E-8": "0", "0e999999999999999999": "0", "66": "66", "-12.50": "-12.5", "+1": "1",
		" 7.1 ": "7.1", ".5": "0.5", "5.": "5", "007": "7", "1e3": "1000", "1E+3": "1000", "12.5e-3": "0.0125", "1e-12": "0.000000000001",
		"1,234": "1234", "1,234,567.89": "1234567.89", "-12,345.6": "-12345.6", "999,999": "999999",
		"0.1234567890120000": "0.123456789012", "1.000000000000000000": "1", "100e-14": "0.000000000001",
		"12345678901234567890123456.123456789012":  "12345678901234567890123456.123456789012",
		"-99999999999999999999999999.999999999999": "-99999999999999999999999999.999999999999",
		"1e25":                    "10000000000000000000000000",
		"922337203685477580.7":    "922337203685477580.7",
		"9223372036854775808":     "9223372036854775808",
		"000000000000000000000.1": "0.1",
	} {
		m, err := parseMoney(text)
		if err != nil || !m.Valid || !m.Decimal.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%q: %v, %v; want %s", text, m.Decimal, err, want)
		}
	}
	for text, want := range map[string]error{
		"": errNotAmount, "-": errNotAmount, ".": errNotAmount, "e5": errNotAmount, "1e": errNotAmount, "1e+": errNotAmount,
		"abc": errNotAmount, "1.2.3": errNotAmount, "--1": errNotAmount, "1 2": errNotAmount, "0x10": errNotAmount,
		"NaN": errNotAmount, "Infinity": errNotAmount, "¥5": errNotAmount, "5 CNY": errNotAmount, "1_000": errNotAmount, "１": errNotAmount,
		",1": errNotAmount, "1,": errNotAmount, "1,00": errNotAmount, "1,0000": errNotAmount, "1234,567": errNotAmount,
		"1,234,56": errNotAmount, "1,,234": errNotAmount, "1.234,567": errNotAmount, "1,23.4": errNotAmount, "1,234e3": errNotAmount,
		"0.1234567890123": errTooFine, "1e-13": errTooFine, "0.0000000000001": errTooFine, "1e-999999999999999999": errTooFine,
		"123456789012345678901234567": errTooLarge, "1e26": errTooLarge, "1e999999999999999999": errTooLarge,
		"9999999999,9999999999": errNotAmount,
	} {
		if m, err := parseMoney(text); !errors.Is(err, want) || m.Valid {
			t.Errorf("%q: %v, %v; want %v", text, m, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"66": "66", "1e3": "1000", "-0": "0", "0.123456789012": "0.123456789012", "1e-12": "0.000000000001",
		"1234567890123456789": "1234567890123456789", "1234567890123456789.12": "1234567890123456789.12",
		"123456.78000000001": "123456.78000000001", // it fits, and is what was sent

		"0.10000000000000001": "0.1", "-0.10000000000000001": "-0.1", "0.100000000000000010": "0.1", "1.0000000000000001E-1": "0.1",
		"0.29999999999999999": "0.3", "0.07000000000000001": "0.07", "19.899999999999999": "19.9", "1.1000000000000001": "1.1",
		"0.1000000000000000055511151231257827":                      "0.1",
		"0.1000000000000000055511151231257827021181583404541015625": "0.1",
		"1.00000000000000000e-01":                                   "0.1",
		"9.9999999999999998e-13":                                    "0.000000000001",
	} {
		m, err := ParseNumber(text)
		if err != nil || !m.Valid || !m.Decimal.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%s: %v, %v; want %s", text, m.Decimal, err, want)
		}
	}
	for text, want := range map[string]error{
		"1e-13": errTooFine, "0.1234567890123": errTooFine, "1e-400": errTooFine, "1e-999999999999999999": errTooFine,
		"0.30000000000000004":                            errTooFine, // 0.1 + 0.2: no shorter form is this float64
		"0.10000000000000002":                            errTooFine, // the next one
		"0.10000000000000000":                            nil,        // exact
		"0.1000000000000000000000000001":                 errTooFine, // no print of a float64
		"12345678901234567.123456789012345":              errTooFine, // nor this: a float64 has not so many digits
		"0.10000000000000000" + strings.Repeat("1", 999): errTooFine,
		"1e26": errTooLarge, "1e999": errTooLarge,
	} {
		if m, err := ParseNumber(text); !errors.Is(err, want) || m.Valid != (want == nil) {
			t.Errorf("%s: %v, %v; want %v", text, m, err, want)
		}
	}
}

// Whatever a binary serializer makes of an amount with at most 15 digits, the amount comes back from it.
func TestDustIsTheAmount(t *testing.T) {
	t.Parallel()
	for _, scale := range []int32{1, 2, 6, 12} {
		for n := int64(1); n < 1_000_000_000_000_000; n = n*3 + 7 {
			for _, amount := range []decimal.Decimal{decimal.New(n, -scale), decimal.New(-n, -scale)} {
				f, _ := strconv.ParseFloat(amount.String(), 64)
				for _, print := range []string{
					strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(f, 'e', 16, 64), strconv.FormatFloat(f, 'f', -1, 64),
					new(big.Float).SetFloat64(f).Text('f', 60),
				} {
					m, err := ParseNumber(print)
					if err == nil && m.Decimal.Equal(amount) {
						continue
					}
					// What fits the column is never changed.
					if exact, e := parseMoney(print); e == nil && err == nil && exact.Decimal.Equal(m.Decimal) {
						continue
					}
					t.Fatalf("%s as %s: %v, %v", amount, print, m.Decimal, err)
				}
			}
		}
	}
}

// FuzzNumber: a JSON number is read exactly, or as the same float64.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0.10000000000000001", "0.30000000000000004", "1e-13", "12345678901234567.123456789012345", "1.0000000000000001E-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseNumber(s)
		exact, exactErr := parseMoney(s)
		switch {
		case exactErr == nil:
			if err != nil || !m.Decimal.Equal(exact.Decimal) {
				t.Fatalf("%q: %v, %v; want %v", s, m.Decimal, err, exact.Decimal)
			}
		case err == nil:
			sent, _ := strconv.ParseFloat(s, 64)
			got, _ := strconv.ParseFloat(m.Decimal.String(), 64)
			if !errors.Is(exactErr, errTooFine) || sent != got {
				t.Fatalf("%q: %v is another number", s, m.Decimal)
			}
		}
	})
}

// FuzzMoney compares with math/big: what is accepted is exact, fits the column, and comes back from its own text.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"0", "-12.50", "1,234.5", "1e-12", "12345678901234567890123456.123456789012", ".5", "1E+3", "0e9", "1,00"} {
		f.Add(s)
	}
	fits := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(integerDigits), nil))
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMoney(s)
		if err != nil {
			return
		}
		d := m.Decimal
		if d.Exponent() < -fractionDigits || d.Exponent() > 0 {
			t.Fatalf("%q: exponent %d", s, d.Exponent())
		}
		if d.Rat().Cmp(fits) >= 0 || d.Neg().Rat().Cmp(fits) >= 0 {
			t.Fatalf("%q: %s does not fit", s, d)
		}
		if plain := strings.TrimSpace(strings.ReplaceAll(s, ",", "")); len(plain) < 100 && !hugeExponent(plain) {
			want, ok := new(big.Rat).SetString(plain)
			if !ok || d.Rat().Cmp(want) != 0 {
				t.Fatalf("%q became %s, want %v", s, d, want)
			}
		}
		again, err := parseMoney(d.String())
		if err != nil || !again.Decimal.Equal(d) {
			t.Fatalf("%q became %s, and that %v, %v", s, d, again, err)
		}
	})
}

// hugeExponent keeps math/big from making a number of a million digits.
func hugeExponent(s string) bool {
	i := strings.IndexAny(s, "eE")
	return i >= 0 && len(s)-i > 4
}
