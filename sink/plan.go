package sink

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ordersync/ordersync/schema"
)

// Plan is what Open would do to a warehouse. A warehouse that is up to date has an empty one.
type Plan struct {
	Database   bool     // make the database
	Tables     []string // make these, which are missing
	Migrations []int64  // run these
	Engines    []string // give these the engine that they have in a new warehouse
	Views      []string // make or replace these, which are missing or of another version
	Drops      []string // drop these views, which the configuration does not ask for any more
	Comments   []string // correct the comments of these
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.words()) == 0 }

// New reports whether nothing of ours is there yet.
func (p *Plan) New() bool { return p.Database || len(p.Tables) == len(schema.Tables()) }

func (p *Plan) String() string { return strings.Join(p.words(), ", ") }

func (p *Plan) words() (out []string) {
	switch {
	case p.Database:
		return []string{"make the database with its tables and views"}
	case p.New():
		return []string{"make its tables and views"}
	}
	list := func(what, these string, names []string) {
		const few = 4
		switch n := len(names); {
		case n > few:
			out = append(out, fmt.Sprintf("%s %d %ss", what, n, these))
		case n > 1:
			out = append(out, what+" the "+these+"s "+strings.Join(names, ", "))
		case n == 1:
			out = append(out, what+" the "+these+" "+names[0])
		}
	}
	list("make", "missing table", p.Tables)
	var numbers []string
	for _, n := range p.Migrations {
		numbers = append(numbers, fmt.Sprint(n))
	}
	list("run", "migration", numbers)
	list("renew the engine of", "table", p.Engines)
	list("make", "view", p.Views)
	list("drop", "view", p.Drops)
	list("correct the comments of", "table", p.Comments)
	return out
}

// planOf is what is to be done on all of them.
func planOf(nodes []*found) *Plan {
	all := &Plan{}
	for _, f := range nodes {
		all.add(f.plan())
	}
	return all
}

// add takes in what is to be done on another server.
func (p *Plan) add(q *Plan) {
	p.Database = p.Database || q.Database
	union := func(a *[]string, b []string) {
		for _, name := range b {
			if !slices.Contains(*a, name) {
				*a = append(*a, name)
			}
		}
	}
	union(&p.Tables, q.Tables)
	union(&p.Engines, q.Engines)
	union(&p.Views, q.Views)
	union(&p.Drops, q.Drops)
	union(&p.Comments, q.Comments)
	if len(q.Migrations) > len(p.Migrations) {
		p.Migrations = q.Migrations
	}
}

// plan compares what is there with what should be.
func (f *found) plan() *Plan {
	p := &Plan{Database: !f.database}
	for _, v := range schema.Versions() {
		if !slices.Contains(f.versions, v) {
			p.Migrations = append(p.Migrations, v)
		}
	}
	missing := func(name string) bool {
		for _, objects := range f.nodes {
			if objects[name] == nil {
				return true
			}
		}
		return false
	}
	some := func(name string, is func(*object) bool) bool { return slices.ContainsFunc(f.objects(name), is) }
	for _, t := range schema.Tables() {
		for _, name := range f.forms(t) {
			switch {
			case missing(name):
				if !slices.Contains(p.Tables, t.Name) {
					p.Tables = append(p.Tables, t.Name)
				}
			case some(name, func(o *object) bool { return len(f.corrections(t, o)) > 0 }):
				p.Comments = append(p.Comments, name)
			}
		}
	}
	// Of a cluster the engine stays as it is, since a replicated table cannot be renamed. That costs nothing but that a row
	// that was sent twice is stored twice.
	if some(renewed, func(o *object) bool { return o.engine == "MergeTree" }) || len(f.objects(former)) > 0 {
		p.Engines = append(p.Engines, renewed)
	}
	for _, v := range schema.Views() {
		if v.IsStored() && f.cfg.Refresh == 0 {
			if f.cfg.Reconfigure && len(f.objects(v.Name)) > 0 {
				p.Drops = append(p.Drops, v.Name)
			}
			continue
		}
		current := func(o *object) bool { return o.comment == v.MarkedComment(f.cfg.reporting()) }
		if missing(v.Name) || some(v.Name, func(o *object) bool { return !current(o) }) {
			p.Views = append(p.Views, v.Name)
		}
	}
	if missing(schema.VersionTable) || some(schema.VersionTable, func(o *object) bool { return !strings.HasSuffix(o.comment, schema.Mark) }) {
		p.Comments = append(p.Comments, schema.VersionTable)
	}
	return p
}

// corrections are the parts of an ALTER TABLE that gives a table and its columns their comments.
func (f *found) corrections(t schema.Table, o *object) (out []string) {
	if t.Feeds == "" {
		for _, c := range o.columns {
			// A column that somebody has added has a comment of theirs (I13).
			if meaning := schema.Meaning(t.Name, c.Name); slices.Contains(t.Names(), c.Name) && meaning != o.comments[c.Name] {
				out = append(out, "COMMENT COLUMN "+c.Name+" "+schema.Quote(meaning))
			}
		}
	}
	if want := t.Comment + schema.Mark; o.comment != want {
		out = append(out, "MODIFY COMMENT "+schema.Quote(want))
	}
	return out
}
