package schema

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// Every migration works on a cluster: it is made of statements that have a meaning there. A new one that fails here
// either leaves the style of the others or needs a case in cluster.go.
func TestEveryMigrationHasAMeaningInACluster(t *testing.T) {
	t.Parallel()
	names := migrationNames()
	if len(names) < 8 {
		t.Fatalf("%d migrations", len(names))
	}
	for _, name := range names {
		plain, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Cluster{{Name: "main", Database: "shop"}, {Name: "main", Database: "shop", EachNode: true}} {
			text, err := fs.ReadFile(c.Migrations(), name)
			if err != nil {
				t.Error(err)
				continue
			}
			made := string(text)
			if !strings.HasPrefix(made, "-- +goose NO TRANSACTION\n-- +goose Up\n") {
				t.Errorf("%s does not begin as it should:\n%.80s", name, made)
			}
			count := func(pattern, text string) int { return len(regexp.MustCompile("(?m)"+pattern).FindAllString(text, -1)) }
			statements, tables := count("^(CREATE|ALTER|DROP) ", made), count("^CREATE TABLE ", string(plain))
			on, replicated := statements, tables
			if c.EachNode {
				on, replicated = 0, 0
			}
			if n := count(" ON CLUSTER 'main'", made); n != on {
				t.Errorf("%s: %d of %d statements are ON CLUSTER", name, n, on)
			}
			if n := count(`^ENGINE = Replicated\w*MergeTree\('/clickhouse/tables/\{shard\}/\{database\}/\{table\}', '\{replica\}'`, made); n != replicated {
				t.Errorf("%s: %d of %d tables are replicated", name, n, replicated)
			}
			if n := count(`^ENGINE = Distributed\('main', 'shop', '\w+_local', cityHash64\(\w+(, \w+)*\)\)$`, made); n != tables {
				t.Errorf("%s: %d of %d tables are distributed", name, n, tables)
			}
		}
	}
}

func TestStatementsOfACluster(t *testing.T) {
	t.Parallel()
	c := Cluster{Name: "main", Database: "shop"}
	for sql, want := range map[string]string{
		"CREATE TABLE IF NOT EXISTS t\n(\n    a Int8\n)\nENGINE = MergeTree\nORDER BY a\nCOMMENT 'It''s';\n": `CREATE TABLE IF NOT EXISTS t_local ON CLUSTER 'main'
(
    a Int8
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY a
COMMENT 'It''s (ordersync)';

CREATE TABLE IF NOT EXISTS t ON CLUSTER 'main' AS t_local
ENGINE = Distributed('main', 'shop', 't_local', cityHash64(a))
COMMENT 'It''s (ordersync)';
`,
		"ALTER TABLE t ADD COLUMN IF NOT EXISTS b Int8 COMMENT 'x' AFTER a;\n": `ALTER TABLE t_local ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS b Int8 COMMENT 'x' AFTER a;

ALTER TABLE t ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS b Int8 COMMENT 'x' AFTER a;
`,
		"ALTER TABLE t\n    MODIFY SETTING x = 1;\n":                                      "ALTER TABLE t_local ON CLUSTER 'main'\n    MODIFY SETTING x = 1;\n",
		"-- Gone; for good;\nDROP VIEW IF EXISTS v;\n":                                    "",
		"CREATE OR REPLACE VIEW v\n(\n    a Int8\n)\nAS\nSELECT a -- of t;\nFROM t;\n":    "",
		"CREATE MATERIALIZED VIEW IF NOT EXISTS m TO u\nAS\nSELECT a\n-- Why;\nFROM t;\n": "CREATE MATERIALIZED VIEW IF NOT EXISTS m ON CLUSTER 'main' TO u_local\nAS\nSELECT a\n-- Why;\nFROM t_local;\n",
	} {
		got, err := rewrittenFiles{cluster: c}.rewrite(sql)
		got = strings.TrimPrefix(strings.TrimPrefix(got, "-- +goose NO TRANSACTION\n-- +goose Up\n"), "\n")
		if err != nil || got != want {
			t.Errorf("%s\nbecame (%v)\n%s\ninstead of\n%s", sql, err, got, want)
		}
	}
	for sql, want := range map[string]string{
		"OPTIMIZE TABLE t FINAL;\n":                                                                    "does not know what this statement is in a cluster",
		"ALTER TABLE t DELETE WHERE 1;\n":                                                              "does not know what this statement is in a cluster",
		"CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = Memory COMMENT 'x';\n":                         "table t: a cluster needs ENGINE",
		"CREATE TABLE IF NOT EXISTS t (a Int8)\nENGINE = MergeTree\nORDER BY tuple(a)\nCOMMENT 'x';\n": "table t: a cluster needs ENGINE",
		"CREATE MATERIALIZED VIEW IF NOT EXISTS m TO u AS SELECT a FROM t JOIN s USING a;\n":           "reads one table",
		"CREATE OR REPLACE VIEW v AS SELECT 1\n":                                                       "does not end with a semicolon",
		"CREATE TABLE IF NOT EXISTS t\n(\n    a Int8\n)\nENGINE = MergeTree\nORDER BY a;\nSELECT 1;\n": "table t: a cluster needs ENGINE",
	} {
		if got, err := (rewrittenFiles{cluster: c}).rewrite(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nbecame (%v)\n%s", sql, err, got)
		}
	}
}
