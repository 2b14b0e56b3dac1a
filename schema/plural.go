package schema

import "strconv"

// Number is what a count may be.
type Number interface{ ~int | ~int64 | ~uint64 }

// Plural writes a number of things, whose plural ends in s, as people read it. It is here because the texts of all packages need it.
func Plural[T Number](n T, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Thousands(n) + " " + thing
}

// Thousands writes a number with separators.
func Thousands[T Number](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
