package simulator

import (
	"slices"
	"strconv"
)

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
