package schema

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// viewFiles holds the views, one plain SELECT a file. The number in a file's name is the order in which they are made: a
// view comes after those that it reads. The first paragraph of the comment at the top is the view's own comment in the
// warehouse, what follows is why it is as it is. There is no list of columns: it is made of what the server says of the
// SELECT, with comments from the glossary. ${state} stands for StateSQL, so that SQL and Go read a payment status alike, and
// ${closed_at}, ${facts} and ${fact_names} for what close.go says of closes.
// ${zone} stands for the reporting zone, as a string of SQL: it is filled in when a view is made. A file whose name ends in
// _as_of or _at_close is a comment alone: the SELECT is that of the view without this ending, as of a moment.
//
//go:embed views/*.sql
var viewFiles embed.FS

// View is a view of the warehouse.
type View struct {
	Name    string
	Comment string // without zone and mark
	Select  string // with ${zone} where it depends on the reporting zone
}

// zoneMark stands for the reporting zone in the text of a view.
const zoneMark = "${zone}"

// DefaultZone is the reporting zone where none is configured.
const DefaultZone = "UTC"

// Views are all views, each after those that it reads.
var Views = sync.OnceValue(func() []View {
	names, err := fs.Glob(viewFiles, "views/*.sql")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	marks := strings.NewReplacer("${state}", StateSQL(), "${closed_at}", closedAt(), "${facts}", factTexts(), "${fact_names}", factNames())
	views := make([]View, len(names))
	for i, name := range names {
		text, err := viewFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		_, view, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		views[i] = View{Name: view}
		views[i].Comment, views[i].Select = cutComment(marks.Replace(string(text)))
	}
	for i, v := range views {
		switch {
		case v.IsAsOf():
			views[i].Select = asOf(views, v.Base())
		case strings.HasSuffix(v.Name, AtClose):
			views[i].Select = atClose(views, v.Base())
		}
	}
	return views
})

// cutComment takes the first paragraph of the comment at the top of a file, and what comes after the comment.
func cutComment(text string) (first, rest string) {
	var words []string
	paragraph := 0
	for {
		line, after, _ := strings.Cut(text, "\n")
		remark, ok := strings.CutPrefix(line, "--")
		if !ok {
			return strings.Join(words, " "), strings.TrimSpace(text)
		}
		text = after
		switch remark = strings.TrimSpace(remark); {
		case remark == "":
			paragraph++
		case paragraph == 0:
			words = append(words, remark)
		}
	}
}

// viewsVersion holds the number of the set of views and glossary, and its digest. The number is one higher whenever a
// text changed, so that an older program knows views that it must not replace by its own.
//
//go:embed views/VERSION
var viewsVersion string

// Digest of the texts of all views and of the glossary.
var viewsDigest = sync.OnceValue(func() string {
	hash := sha256.New()
	for _, v := range Views() {
		fmt.Fprintf(hash, "%q %q %q\n", v.Name, v.Comment, v.Select)
	}
	fmt.Fprint(hash, glossaryText, Pinned())
	return hex.EncodeToString(hash.Sum(nil))[:8]
})

// ViewMark is what ends the comment of each view: by it a view of ours is told from another one of the same name, and a
// view of this program from one of an older or a newer program.
type ViewMark struct {
	Tables int64 // the newest migration of the program that made it
	Views  int64 // the number of its set of views
	Digest string
}

// CurrentMark is the mark of the views that this program makes.
var CurrentMark = sync.OnceValue(func() ViewMark {
	number, _, _ := strings.Cut(viewsVersion, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic(err)
	}
	versions := Versions()
	return ViewMark{versions[len(versions)-1], n, viewsDigest()}
})

func (m ViewMark) String() string {
	return fmt.Sprintf(" (ordersync %d.%d-%s)", m.Tables, m.Views, m.Digest)
}

// Newer reports whether a view was made by a program that knows more than this one.
func (m ViewMark) Newer() bool {
	return m.Tables > CurrentMark().Tables || m.Views > CurrentMark().Views
}

var viewMark = regexp.MustCompile(` \(ordersync (\d{1,18})\.(\d{1,18})-([0-9a-f]{8})\)$`)

// ParseViewMark finds the mark in the comment of a view.
func ParseViewMark(comment string) (ViewMark, bool) {
	m := viewMark.FindStringSubmatch(comment)
	if m == nil {
		return ViewMark{}, false
	}
	tables, _ := strconv.ParseInt(m[1], 10, 64) // digits by the pattern, and few
	views, _ := strconv.ParseInt(m[2], 10, 64)
	return ViewMark{tables, views, m[3]}, true
}

// zoneWords is what the comment of a view that depends on the reporting zone says of it, before the mark.
const zoneWords = ". Days and months are of the zone "

// refreshWords is what the comment of a stored view says of how often it is made anew, before the zone.
const refreshWords = ". It is made anew every "

var refreshOfView = regexp.MustCompile(regexp.QuoteMeta(refreshWords) + `(\S+)` + regexp.QuoteMeta(zoneWords))

// RefreshOf returns how often a stored view is made anew, by its comment; 0 where the view is not stored.
func RefreshOf(comment string) time.Duration {
	if m := refreshOfView.FindStringSubmatch(comment); m != nil {
		every, _ := time.ParseDuration(m[1]) // it is a duration's own text
		return every
	}
	return 0
}

var zoneOfView = regexp.MustCompile(regexp.QuoteMeta(zoneWords) + `(\S+)` + viewMark.String())

// ZoneOf returns the reporting zone that a view was made for, by its comment: an IANA name, or "" where it depends on none.
func ZoneOf(comment string) string {
	if m := zoneOfView.FindStringSubmatch(comment); m != nil {
		return m[1]
	}
	return ""
}

// Reporting is what views are made for: the IANA name of the zone of their days and months, and how often the stored ones are
// made anew, in whole seconds; 0 where there are to be none.
type Reporting struct {
	Timezone string
	Refresh  time.Duration
}

// MarkedComment is the comment of the view in a warehouse. A view of ours that has another one is not as this program makes it.
func (v View) MarkedComment(r Reporting) string {
	comment := v.Comment
	if v.IsStored() {
		comment += refreshWords + r.Refresh.String()
	}
	if v.IsStored() || strings.Contains(v.Select, zoneMark) {
		comment += zoneWords + r.Timezone
	}
	return comment + CurrentMark().String()
}

// Query is the SELECT for a reporting zone, with the settings on which its answer depends.
func (v View) Query(zone string) string {
	return strings.ReplaceAll(v.Select, zoneMark, Quote(zone)) + "\n" + Pinned()
}

// Create is the statement that makes the view. Columns are what the server says of Query. Replace is for a view that is
// known to be ours; without it an object of that name stays as it is. In a cluster each server keeps a stored view for itself.
func (v View) Create(c Cluster, r Reporting, columns []Column, replace bool) string {
	kind, refresh, engine := "VIEW ", "", ""
	if v.IsStored() {
		kind = "MATERIALIZED VIEW "
		refresh = fmt.Sprintf("\nREFRESH EVERY %d SECOND", r.Refresh/time.Second)
		engine = "\nENGINE = MergeTree ORDER BY (create_time, account, order_id, item_id)"
	}
	var b strings.Builder
	if replace {
		b.WriteString("CREATE OR REPLACE " + kind)
	} else {
		b.WriteString("CREATE " + kind + "IF NOT EXISTS ")
	}
	b.WriteString(v.Name + c.On() + refresh + "\n(")
	for i, col := range columns {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n    %s %s", col.Name, col.Type)
		if comment := Meaning(v.Base(), col.Name); comment != "" {
			b.WriteString(" COMMENT " + Quote(strings.ReplaceAll(comment, zoneMark, r.Timezone)))
		}
	}
	fmt.Fprintf(&b, "\n)%s\nAS\n%s\nCOMMENT %s", engine, v.Query(r.Timezone), Quote(v.MarkedComment(r)))
	return b.String()
}
