package cli

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// What a statement is, by its first word.
var (
	selects = regexp.MustCompile(`(?is)^[\s(]*(SELECT|WITH|FROM|VALUES)\b`)
	answers = regexp.MustCompile(`(?is)^[\s(]*(SELECT|WITH|FROM|VALUES|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|CHECK|SYSTEM\s+SHOW)\b`)
)

// hasResult reports whether a statement gives rows. The driver has to be told: it waits for the first block of those
// that do, and takes its absence for a broken connection.
func hasResult(statement string) bool {
	return answers.MatchString(withoutComments(statement))
}

// withoutComments takes off the comments before a statement.
func withoutComments(statement string) string {
	for {
		statement = strings.TrimSpace(statement)
		switch {
		case strings.HasPrefix(statement, "--"), strings.HasPrefix(statement, "#"):
			statement = statement[through(statement, "\n"):]
		case strings.HasPrefix(statement, "/*"):
			statement = statement[through(statement, "*/"):]
		default:
			return statement
		}
	}
}

// odd are the types that the driver cannot hand over as they are: tuples within tuples come without their values.
var odd = []string{"Variant", "Dynamic", "JSON", "Object", "Point", "Ring", "Polygon", "MultiPolygon", "LineString", "MultiLineString", "Geometry"}

// isOdd reports whether the server has to write values of a type.
func (t columnType) isOdd(inTuple bool) bool {
	if slices.Contains(odd, t.name) || strings.HasPrefix(t.name, "Interval") {
		return true
	}
	tuple := t.name == "Tuple" || t.name == "Nested"
	if tuple && inTuple {
		return true
	}
	if tuple || t.name == "Array" || t.name == "Map" {
		for _, a := range t.args {
			if a.isOdd(inTuple || tuple) {
				return true
			}
		}
	}
	return false
}

// wrap lets the server write the columns whose types are odd, as text or as JSON, and names these columns. A statement
// without such columns, or one that cannot be described, is left alone.
func wrap(ctx context.Context, conn driver.Conn, statement, format string) (wrapped string, written []string) {
	if !selects.MatchString(withoutComments(statement)) {
		return statement, nil
	}
	rows, err := conn.Query(ctx, "DESCRIBE TABLE (\n"+statement+"\n)")
	if err != nil {
		return statement, nil // the statement itself will tell what is wrong with it
	}
	defer rows.Close()
	write := "if(isNull(%), NULL, toString(%))"
	if format == "json" {
		write = "toJSONString(%)"
	}
	var replace []string
	for rows.Next() {
		var name, kind string
		others := make([]string, max(0, len(rows.Columns())-2)) // defaults, comments, codecs
		targets := []any{&name, &kind}
		for i := range others {
			targets = append(targets, &others[i])
		}
		if rows.Scan(targets...) != nil {
			return statement, nil
		}
		if parseType(kind).isOdd(false) {
			quoted := "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
			replace = append(replace, strings.ReplaceAll(write, "%", quoted)+" AS "+quoted)
			written = append(written, name)
		}
	}
	if rows.Err() != nil || len(replace) == 0 {
		return statement, nil
	}
	return "SELECT * REPLACE (" + strings.Join(replace, ", ") + ") FROM (\n" + statement + "\n)", written
}
