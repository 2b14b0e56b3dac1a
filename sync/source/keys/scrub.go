package keys

import (
	"regexp"
	"strings"
)

// sensitive finds what looks like a secret in a text: signatures (the vendor repeats the string that it signed), keys
// in a query or in JSON, and passwords in URLs.
var sensitive = regexp.MustCompile(`(?i)((?:signature|security-?_?token|access-?_?key-?_?id|access-?_?key-?_?secret|credential)["']?(?:=|:|%3D|%3A)\s*["']?)[^\s,;&"'<>\\]+|(://)[^/@\s"]+@`)

// Scrub takes secrets out of a text that others wrote: those that are known, and what looks like one (I10).
func Scrub(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	if strings.ContainsAny(s, "=:%") {
		s = sensitive.ReplaceAllString(s, "$1$2***")
	}
	return s
}
