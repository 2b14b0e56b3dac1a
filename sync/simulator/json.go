package simulator

import (
	"slices"
	"strconv"
	"time"
)

// object writes a JSON object, field by field.
type object struct{ b []byte }

func (w *object) key(k string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), k...), `":`...)
}

func (w *object) text(k, v string) {
	w.key(k)
	w.b = appendString(w.b, v)
}

func (w *object) number(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

// digits writes a number as text.
func (w *object) digits(k string, v int64) {
	w.key(k)
	w.b = append(strconv.AppendInt(append(w.b, '"'), v, 10), '"')
}

// time writes Unix seconds as the vendor documents: yyyy-MM-ddTHH:mm:ssZ, always UTC.
func (w *object) time(k string, t int64) {
	w.key(k)
	w.b = append(time.Unix(t, 0).UTC().AppendFormat(append(w.b, '"'), time.RFC3339), '"')
}

// raw writes what is JSON already.
func (w *object) raw(k, v string) {
	w.key(k)
	w.b = append(w.b, v...)
}

func (w *object) flag(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

// amount writes v*10^-scale as a number.
func (w *object) amount(k string, v int64, scale uint8) {
	w.key(k)
	w.b = appendNumber(w.b, v, scale)
}

// millis writes Unix seconds as milliseconds; null where there is no time.
func (w *object) millis(k string, t int64, ok bool) {
	w.key(k)
	if !ok {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = strconv.AppendInt(w.b, t*1000, 10)
}

// localLayout is how UniCloud's filters and the Domain API write times: without a zone.
const localLayout = "2006-01-02 15:04:05"

func (w *object) local(k string, t int64, zone *time.Location) {
	w.key(k)
	w.b = append(time.Unix(t, 0).In(zone).AppendFormat(append(w.b, '"'), localLayout), '"')
}

// appendString writes a JSON string. The text is valid UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendDecimal writes v*10^-scale as plain digits.
func appendDecimal(b []byte, v int64, scale uint8) []byte {
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	const zeros = "0000000000000"
	start := len(b)
	b = strconv.AppendInt(b, v, 10)
	if lack := int(scale) + 1 - (len(b) - start); lack > 0 {
		b = slices.Insert(b, start, []byte(zeros[:lack])...)
	}
	if scale == 0 {
		return b
	}
	return slices.Insert(b, len(b)-int(scale), '.')
}

// trimZeros takes zeros off the fraction's end.
func trimZeros(v int64, scale uint8) (int64, uint8) {
	for scale > 0 && v%10 == 0 {
		v, scale = v/10, scale-1
	}
	return v, scale
}

// appendNumber writes v*10^-scale as a JSON number. A number below a millionth comes with an exponent, as Java prints a
// decimal: 1.23456E-7. (The captured numbers are JSON numbers; that tiny ones have exponents is unconfirmed, and legal.)
func appendNumber(b []byte, v int64, scale uint8) []byte {
	v, scale = trimZeros(v, scale)
	digits := strconv.Itoa(int(max(v, -v)))
	exponent := len(digits) - 1 - int(scale)
	if v == 0 || exponent >= -6 {
		return appendDecimal(b, v, scale)
	}
	fraction := uint8(len(digits) - 1)
	return strconv.AppendInt(append(appendDecimal(b, v, fraction), 'E'), int64(exponent), 10)
}
