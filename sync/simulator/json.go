package simulator

import "strconv"

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
	if scale == 0 {
		return strconv.AppendInt(b, v, 10)
	}
	var digits [32]byte
	d := strconv.AppendInt(digits[:0], v, 10)
	if pad := int(scale) + 1 - len(d); pad > 0 {
		b = append(b, "0."...)
		for range pad - 1 {
			b = append(b, '0')
		}
		return append(b, d...)
	}
	whole := len(d) - int(scale)
	b = append(b, d[:whole]...)
	b = append(b, '.')
	return append(b, d[whole:]...)
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
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	var digits [32]byte
	d := strconv.AppendInt(digits[:0], v, 10)
	exponent := len(d) - 1 - int(scale)
	if v == 0 || exponent >= -6 {
		return appendDecimal(b, v, scale)
	}
	b = append(b, d[0])
	if len(d) > 1 {
		b = append(append(b, '.'), d[1:]...)
	}
	b = append(b, 'E')
	return strconv.AppendInt(b, int64(exponent), 10)
}
