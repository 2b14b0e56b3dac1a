package sink

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ordersync/ordersync/schema"
)

// foreign refuses, by name, each object that has a name of ours and is not ours (I13).
func (f *found) foreign() error {
	var strangers []string
	for _, host := range slices.Sorted(maps.Keys(f.nodes)) {
		objects := f.nodes[host]
		versions := objects[schema.VersionTable]
		marked := versions != nil && strings.HasSuffix(versions.comment, schema.Mark)
		// A warehouse that has no marks is known by its versions together with the structure of its main table.
		proven := versions != nil && !marked && objects["order_rows"] != nil && like(tableNamed("order_rows"), objects["order_rows"]) &&
			len(f.versions) > 0 && !slices.ContainsFunc(f.versions, func(v int64) bool { return !slices.Contains(schema.Versions(), v) })
		f.adopting = f.adopting || proven
		ours := map[string]bool{schema.VersionTable: marked || proven}
		for _, t := range schema.Tables() {
			for _, name := range f.forms(t) {
				o := objects[name]
				ours[name] = o != nil && (strings.HasSuffix(o.comment, schema.Mark) || (marked || proven) && like(t, o))
			}
		}
		for _, v := range schema.Views() {
			if o := objects[v.Name]; o != nil {
				_, made := schema.ParseViewMark(o.comment)
				ours[v.Name] = o.engine == v.Engine() && (made || proven && slices.ContainsFunc(schema.FrozenViews()[v.Name],
					func(columns []schema.Column) bool { return slices.Equal(columns, o.columns) }))
			}
		}
		if o := objects[former]; o != nil {
			ours[former] = strings.HasSuffix(o.comment, schema.Mark)
		}
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			if !ours[name] {
				stranger := "the " + objects[name].kind() + " " + name
				if len(f.nodes) > 1 {
					stranger += " on " + host
				}
				strangers = append(strangers, stranger)
			}
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	return fmt.Errorf("it has %s, not made by ordersync, which needs the name for its own: nothing was changed; "+
		"give ordersync a database of its own (clickhouse.database), or rename what is there", strings.Join(strangers, ", and "))
}

// attached refuses a database in which a name of ours is that of a detached table: whose it is cannot be seen (I13).
func (f *found) attached() error {
	if len(f.detached) == 0 {
		return nil
	}
	return fmt.Errorf("it has the detached table %s, and ordersync needs the name for its own: nothing was changed; ATTACH TABLE %s brings back "+
		"what is ordersync's; if it is not, give ordersync a database of its own (clickhouse.database)", strings.Join(f.detached, ", "), f.detached[0])
}

// like reports whether an object has the structure of a table of ours.
func like(t schema.Table, o *object) bool {
	if t.Feeds != "" {
		return o.engine == "MaterializedView" && regexp.MustCompile(` TO \S+\.`+t.Feeds+`(_local)? `).MatchString(o.create)
	}
	if o.engine != "Distributed" && !strings.HasSuffix(o.engine, "MergeTree") {
		return false
	}
	missing := slices.Clone(t.Columns)
	for _, c := range o.columns {
		if at := slices.Index(missing, c); at >= 0 {
			missing = slices.Delete(missing, at, at+1)
		} else if !slices.Contains(t.Added, c.Name) {
			return false
		}
	}
	return len(missing) == 0
}

// newer refuses a warehouse that a newer program has changed: this one can neither read it right nor write it.
func (f *found) newer() error {
	const remedy = "use a newer ordersync"
	known := schema.Versions()
	for _, v := range f.versions {
		if !slices.Contains(known, v) {
			return fmt.Errorf("its tables are of version %d, which this ordersync does not know (it knows %d): %s", v, known[len(known)-1], remedy)
		}
	}
	for _, objects := range f.nodes {
		for _, v := range schema.Views() {
			o := objects[v.Name]
			if o == nil {
				continue
			}
			if mark, ok := schema.ParseViewMark(o.comment); ok && mark.Newer() {
				return fmt.Errorf("its view %s was made by a newer ordersync (%d.%d; this one is %d.%d): %s", v.Name, mark.Tables, mark.Views,
					schema.CurrentMark().Tables, schema.CurrentMark().Views, remedy)
			}
		}
	}
	return nil
}

// complete refuses a table of ours without a column that it has had. Put back it would be empty, and no sum would tell (I8).
func (f *found) complete() error {
	for _, v := range schema.Versions() {
		if !slices.Contains(f.versions, v) {
			return nil // a migration is still to add some
		}
	}
	for _, t := range schema.Tables() {
		for _, name := range f.forms(t) {
			for _, o := range f.objects(name) {
				for _, column := range t.Names() {
					if _, ok := o.comments[column]; !ok {
						return fmt.Errorf("its table %s has no column %s: restore the table from a backup, or drop the table, and "+
							"`ordersync migrate` makes it again, empty", name, column)
					}
				}
			}
		}
	}
	return nil
}

// zone refuses a warehouse whose views have their days and months in another reporting zone: two processes with different
// zones would make the views anew in turns, and the same question would be answered differently.
func (f *found) zone() error {
	if f.cfg.Reconfigure {
		return nil
	}
	for _, objects := range f.nodes {
		for _, v := range schema.Views() {
			o := objects[v.Name]
			if o == nil {
				continue
			}
			if zone := schema.ZoneOf(o.comment); zone != "" && zone != f.cfg.Timezone {
				return fmt.Errorf("its view %s has the days and months of the zone %s, and reporting.timezone is %s: set "+
					"reporting.timezone: %[2]s, or run `ordersync migrate`, which makes the views anew for %[3]s", v.Name, zone, f.cfg.Timezone)
			}
		}
	}
	return nil
}
