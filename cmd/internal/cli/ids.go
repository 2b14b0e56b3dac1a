package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/schema"
)

// orderID is an id as it was given, and where.
type orderID struct{ id, where string }

// maxIDLine bounds a line of a file of ids, in bytes.
const maxIDLine = 1 << 20

// maxIDErrors are said of a file of ids: what is wrong with one line is mostly wrong with all.
const maxIDErrors = 5

// orderIDs are the ids that a verb was given: as arguments, in a file, or on standard input where that is not a terminal.
// In a file they stand one or more a line, between white space and commas; a # at the beginning of a word begins a
// comment. An id is taken as it stands or refused, never mended: what a spreadsheet made of an id is another order's, or
// nobody's. Only a byte order mark at the beginning and the line ends of Windows are left out, which are no part of any
// id. Whether an id is one of its source is for [orderIDsOf] to say.
func (p *program) orderIDs(args []string, file string) ([]orderID, error) {
	var ids []orderID
	var errs []error
	seen := map[string]bool{}
	add := func(word, where string) {
		if why := spoiled(word); why != "" {
			errs = append(errs, fmt.Errorf("%s: %q is not an order id%s", where, excerpt(word), why))
		} else if !seen[word] {
			seen[word] = true
			ids = append(ids, orderID{word, where})
		}
	}
	for n, word := range args {
		add(word, fmt.Sprintf("argument %d", n+1))
	}
	if file != "" || len(args) == 0 && !isTerminal(p.in) {
		in, name, err := p.open(cmp.Or(file, "-"))
		if err != nil {
			return nil, err
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxIDLine)
		n := 0
		for len(errs) <= maxIDErrors && lines.Scan() {
			n++
			line := lines.Bytes()
			if n == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			where := fmt.Sprintf("%s, line %d", name, n)
			if bytes.IndexByte(line, 0) >= 0 {
				return nil, fmt.Errorf("%s: this is not a text in UTF-8: save it as a text or CSV file in UTF-8", where)
			}
			for _, word := range idWords(string(line)) {
				add(word, where)
				if last := len(ids) - 1; last >= 0 && ids[last].where == where && rounded.MatchString(ids[last].id) {
					errs = append(errs, fmt.Errorf("%s: %q has the zeros of a spreadsheet, which keeps 15 digits of a number%s; if it is the id, give it as an argument",
						where, ids[last].id, asText))
					ids = ids[:last]
				}
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n+1, err)
		}
	}
	if len(errs) > maxIDErrors {
		errs = append(errs[:maxIDErrors], errors.New("and more like these"))
	}
	switch {
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case len(ids) == 0:
		return nil, errors.New("no order id was given: name them as arguments, in a file (--file), or on standard input")
	}
	return ids, nil
}

// orderIDsOf are the ids, if all of them can be ids of a stream's source.
func orderIDsOf(stream schema.Stream, given []orderID) ([]string, error) {
	ids := make([]string, len(given))
	var errs []error
	for i, g := range given {
		if err := app.CheckOrderID(stream.Source, g.id); err != nil && len(errs) < maxIDErrors {
			errs = append(errs, fmt.Errorf("%s: %w", g.where, err))
		}
		ids[i] = g.id
	}
	return ids, errors.Join(errs...)
}

// grouped finds a number with separators between its digits, as a spreadsheet shows it: by thousands, or as in India.
var grouped = regexp.MustCompile(`(^|[\s"'=])\d{1,3}([,. '’\x{a0}\x{2009}\x{202f}]\d{2,3})*[,. '’\x{a0}\x{2009}\x{202f}]\d{3}([\s"']|$)`)

// fraction finds a number with a decimal comma, as a spreadsheet in many languages writes it. No id is so short as what follows it.
var fraction = regexp.MustCompile(`(^|[\s"'=])\d+,\d{1,2}([\s"']|$)`)

// idWords are the words of a line up to its comment. A number with separators or a comma is one word, so that it is refused whole.
func idWords(line string) []string {
	if at := commentAt(line); at >= 0 {
		line = line[:at]
	}
	line = strings.Trim(line, " \t\r")
	if grouped.MatchString(line) || fraction.MatchString(line) {
		return []string{line}
	}
	return strings.FieldsFunc(line, betweenIDs)
}

func betweenIDs(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == ',' }

// commentAt is where the first word with a # in front begins, unless that is what a spreadsheet shows in place of a value;
// -1 where there is none.
func commentAt(line string) int {
	before := ' '
	for i, r := range line {
		if r == '#' && betweenIDs(before) && !shown.MatchString(line[i:]) {
			return i
		}
		before = r
	}
	return -1
}

// shown is what a spreadsheet shows in place of a value: for a column that is too narrow, or a formula that failed.
var shown = regexp.MustCompile(`^#(##+(\s|,|"|$)|N/A|[A-Z][A-Z0-9/_]*[!?])`)

// asText is the remedy for what a spreadsheet has made of an id.
const asText = ": format the column as text before it is filled, and save it again"

// Words that a spreadsheet makes of an id, or that its files have around one.
var (
	scientific = regexp.MustCompile(`^[-+]?\d+([.,]\d*)?[eE][-+]?\d+$`)
	pointed    = regexp.MustCompile(`^[-+]?\d+\.\d*$`)
	// rounded is a number of which 15 digits are left. Fewer zeros at the end may be chance.
	rounded = regexp.MustCompile(`^[1-9]\d{14}0{3,}$`)
)

// spoiled says why a word cannot be an id of any source; empty where it can.
func spoiled(word string) string {
	bare := strings.Trim(word, `"'=`)
	switch {
	case word == "":
		return ""
	case scientific.MatchString(bare):
		return " but a number in scientific notation, of which the last digits are gone" + asText
	case pointed.MatchString(bare), fraction.MatchString(bare):
		return " but a number with a decimal point" + asText
	case grouped.MatchString(bare):
		return " but a number with separators between its digits" + asText
	case strings.HasPrefix(word, "#"):
		return " but what a spreadsheet shows in place of a value: make the column wider, or mend its formula, and save it again"
	case strings.HasPrefix(word, "="):
		return " but a formula: save the values, in a column that is formatted as text"
	case strings.ContainsAny(word, "\"'`‘’“”"):
		return ": leave out the quotes; a spreadsheet writes none around an id in a column that is formatted as text"
	}
	for _, r := range word {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' {
			return fmt.Sprintf(": it has the character %U, which may not be seen", r) + asText
		}
	}
	if len(word) > maxID {
		return fmt.Sprintf(": it has more than %d characters", maxID)
	}
	return ""
}

// maxID is longer than any id of any source.
const maxID = 64

// excerpt is the beginning of a text that may be long.
func excerpt(s string) string {
	if r := []rune(s); len(r) > maxID {
		return string(r[:maxID]) + "…"
	}
	return s
}
