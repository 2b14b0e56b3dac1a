package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ordersync/ordersync/schema"
)

// guard lets statements that only read through to a user who may do more: no user of clickhouse.reader is configured. The
// server's parser says what a statement is, and nothing that is not known to be harmless passes.
type guard struct {
	server *sqlServer
	apart  *sqlServer     // the same, outside of the session, whose settings could change what it answers
	known  *regexp.Regexp // the functions that compute from what the database holds
	texts  []string       // the settings whose values are texts
}

// harmlessNodes are the parts of a statement that do no more than read, as EXPLAIN AST names them, beside functions and
// what begins with Show and Exists. APPLY is not among them, because the tree does not tell which function it applies.
var harmlessNodes = regexp.MustCompile(`^ *(SelectWithUnionQuery|SelectIntersectExceptQuery|SelectQuery|DescribeQuery|Explain|UseQuery|Set|` +
	`Show\w*|Exists\w*Query|ExpressionList|Literal|Identifier|TableIdentifier|TablesInSelectQuery|TablesInSelectQueryElement|TableExpression|` +
	`TableJoin|ArrayJoin|Asterisk|QualifiedAsterisk|ColumnsRegexpMatcher|ColumnsListMatcher|QualifiedColumns\w+Matcher|ColumnsTransformerList|` +
	`ColumnsExceptTransformer|ColumnsReplaceTransformer|ColumnsReplaceTransformer::Replacement|Subquery|WithElement|OrderByElement|` +
	`InterpolateElement|WindowDefinition|WindowListElement|SampleRatio|DataType|NameTypePair|QueryParameter)( |$)`)

var functionNode = regexp.MustCompile(`^ *Function (.*?)(?: \(alias .*\))?(?: \(children \d+\))?$`)

// blindNodes are the parts of a statement that the tree does not show the inside of.
var blindNodes = regexp.MustCompile(`^ *(Set|Show\w*)( |$)`)

// textSettings asks for the settings whose value may be an expression, the name of a file, or another language: all that are texts,
// but for those that are known to be no more than a note, or how a value is written.
const textSettings = "SELECT name FROM system.settings WHERE type IN ('String', 'Map', 'URI', 'Dialect') " +
	"AND NOT match(name, '^(log_comment|bool_(true|false)_representation|format_(csv|tsv)_null_representation)$') FORMAT TSVRaw"

// harmlessFunctions asks for what is computed from a database: by the categories of the server's own documentation, and
// some of its category Other. Functions of the server's owner may start programs, so only those of ClickHouse count, and no
// name that is a table function, too, but for those that make rows of nothing.
const harmlessFunctions = `SELECT f.name || if(max(f.is_aggregate), '(` + combinators + `)*', '') FROM system.functions AS f
LEFT JOIN system.functions AS a ON f.alias_to = a.name
WHERE f.origin = 'System' AND lower(f.name) NOT IN (SELECT lower(name) FROM system.table_functions)
	AND (f.is_aggregate OR if(a.name = '', f.categories, a.categories) IN ('Aggregate Functions', 'Window Functions', 'Arithmetic', 'Arrays', 'Bit', 'Bitmap',
		'Comparison', 'Conditional', 'Dates and Times', 'Distance', 'Encoding', 'Encryption', 'Financial', 'Geo', 'Geo Polygon', 'Hash',
		'IP Address', 'JSON', 'Logical', 'Map', 'Mathematical', 'Null', 'Nullable', 'Random Number', 'Rounding', 'String', 'String Replacement',
		'String Search', 'String Splitting', 'Time Window', 'Tuple', 'Type Conversion', 'URL', 'UUID')
	OR if(a.name = '', f.name, a.name) IN ('bar', 'byteSize', 'caseWithExpression', 'countDigits', 'currentDatabase', 'currentUser', 'defaultValueOfArgumentType',
		'defaultValueOfTypeName', 'dumpColumnStructure', 'finalizeAggregation', 'formatQuery', 'formatQuerySingleLine', 'formatReadableDecimalSize',
		'formatReadableQuantity', 'formatReadableSize', 'formatReadableTimeDelta', 'getSetting', 'getSubcolumn', 'hostName', 'identity', 'ignore',
		'initializeAggregation', 'isConstant', 'isDecimalOverflow', 'materialize', 'neighbor', 'parseReadableSize', 'parseTimeDelta', 'rowNumberInAllBlocks',
		'rowNumberInBlock', 'runningAccumulate', 'runningDifference', 'sleep', 'sleepEachRow', 'throwIf', 'toColumnTypeName', 'toTypeName', 'transform',
		'uptime', 'variantElement', 'variantType', 'version', 'visibleWidth'))
	AND match(f.name, '^[a-zA-Z0-9_]+$')
GROUP BY f.name FORMAT TSVRaw`

// ownFunctions are the parser's own, and the table functions that make rows of nothing but numbers or a query. Those that take
// the columns of a table as a text, such as values and format, take expressions in it.
const ownFunctions = "lambda|exists|_cast|grouping|untuple|numbers|numbers_mt|zeros|zeros_mt|generateseries|generate_series|view"

// combinators are what an aggregate function's name can end with, as in sumOrNullIf. Most of
// system.aggregate_function_combinators.
const combinators = "if|array|map|state|merge|foreach|distinct|ordefault|ornull|resample|argmin|argmax|simple"

const explainPrefix = "EXPLAIN AST "

var parsePosition = regexp.MustCompile(`failed at position (\d+)`)

// allow returns an error for a statement that is not known to be harmless.
func (g *guard) allow(ctx context.Context, text string, values url.Values) error {
	values = withFormat(values, "TSVRaw")
	var tree bytes.Buffer
	err := g.server.ask(ctx, explainPrefix+text, values, &tree)
	if refused := (*serverError)(nil); errors.As(err, &refused) { // the person did not write EXPLAIN
		refused.text = parsePosition.ReplaceAllStringFunc(refused.text, func(s string) string {
			n, _ := strconv.Atoi(strings.TrimPrefix(s, "failed at position ")) // digits
			return fmt.Sprintf("failed at position %d", max(1, n-len(explainPrefix)))
		})
	}
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(tree.String(), "\n"), "\n")
	blind, show := false, false
	for i, line := range lines {
		if node := blindNodes.FindStringSubmatch(line); node != nil {
			blind, show = true, show || node[1] != "Set"
		}
		if f := functionNode.FindStringSubmatch(line); f != nil && i > 0 {
			if ok, err := g.harmless(ctx, f[1]); err != nil {
				return err
			} else if !ok {
				return notSent("the function " + printable(f[1]))
			}
		} else if !harmlessNodes.MatchString(line) {
			return notSent(printable(strings.TrimSpace(line)))
		}
	}
	if !blind {
		return nil
	}
	return g.allowHidden(ctx, text, show)
}

// allowHidden looks at the words of what the tree does not show: it allows settings whose values are numbers and choices, and a
// SHOW that calls nothing. The server writes the statement in its own way first, so that each name is one plain word.
func (g *guard) allowHidden(ctx context.Context, text string, show bool) error {
	if g.texts == nil {
		var answer bytes.Buffer
		if err := g.apart.ask(ctx, textSettings, nil, &answer); err != nil {
			return fmt.Errorf("ask the server which settings are texts: %w", err)
		}
		g.texts = strings.Fields(answer.String())
	}
	var formatted bytes.Buffer
	if err := g.apart.ask(ctx, "SELECT formatQuerySingleLine("+schema.Quote(text)+") FORMAT TSVRaw", nil, &formatted); err != nil {
		return err
	}
	for rest := formatted.String(); rest != ""; {
		word := token.FindString(rest)
		rest = rest[len(word):]
		switch {
		case show && word == "(":
			return notSent("a SHOW with an expression in brackets")
		case slices.Contains(g.texts, word):
			return notSent("the setting " + word)
		}
	}
	return nil
}

func notSent(what string) error {
	return fmt.Errorf("the statement was not sent, because ordersync does not know that %s only reads the warehouse\n"+
		"(a user who may only read, named in clickhouse.reader, may do more: `ordersync grants` prints the statements that make one; or add --write)", what)
}

// harmless reports whether a function only computes, or is a view of ours, which is called as a function is where it is as of a
// moment. The server is asked for those that do when the first one is met.
func (g *guard) harmless(ctx context.Context, function string) (bool, error) {
	if g.known == nil {
		var answer bytes.Buffer
		if err := g.apart.ask(ctx, harmlessFunctions, nil, &answer); err != nil {
			return false, fmt.Errorf("ask the server which functions only read: %w", err)
		}
		var err error
		if g.known, err = regexp.Compile("(?i)^(" + ownFunctions + "|" + strings.Join(strings.Fields(answer.String()), "|") + ")$"); err != nil {
			return false, err
		}
	}
	asOf := slices.ContainsFunc(schema.Views(), func(v schema.View) bool { return v.IsAsOf() && v.Name == function })
	return asOf || g.known.MatchString(function), nil
}
