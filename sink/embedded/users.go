package embedded

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// The server's users. The session that opens its ports is always the user default, without a password and not to be told
// from any other client of this machine, so default may do next to nothing, and
// has but one session: that one. Nobody else is let in as default, not even at the engine's own ports.
const (
	// Owner is the program's own user. It may use its database and nothing else.
	Owner = "ordersync"
	// Reader may read the database.
	Reader = "reader"
)

// A Login is a user of the server, with its password.
type Login struct{ Username, Password string }

// passwords are the content of the password file, by user.
type passwords map[string]string

// makePasswords reads the password file of a folder, which only its owner may be able to read, and makes it first where
// there is none yet. Only one process may do so at a time: the one that holds owner.lock.
func (f files) makePasswords() (passwords, error) {
	p, err := f.readPasswords()
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p = passwords{Owner: rand.Text(), Reader: rand.Text()}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(f.passwords, append(b, '\n')); err != nil {
		return nil, fmt.Errorf("write the passwords of the server: %w", err)
	}
	return p, nil
}

func (f files) readPasswords() (passwords, error) {
	b, err := os.ReadFile(f.passwords)
	if err != nil {
		return nil, err
	}
	if err := onlyOurs(f.passwords, 0o077); err != nil {
		return nil, err
	}
	var p passwords
	if err := json.Unmarshal(b, &p); err != nil || p[Owner] == "" || p[Reader] == "" {
		return nil, fmt.Errorf("%s holds no passwords: remove it, and new ones are made: %w", f.passwords, errors.Join(err))
	}
	return p, nil
}

func (p passwords) login(user string) Login { return Login{user, p[user]} }

// configuration is what the server is started with. Users may do what is granted here by name and no more: a table
// function, a table engine or a statement of another version of the engine is refused without being named.
//
// What reaches outside the server (file, url, remote, s3 and their kin) needs READ, WRITE or SOURCES and an engine of its
// own; nobody has them. A disk of a table's own needs no grant, so nobody may choose one.
var configuration = template.Must(template.New("").Funcs(template.FuncMap{
	"hash": func(password string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(password))) },
	"grantable": func(database string) (string, error) {
		var b bytes.Buffer
		err := xml.EscapeText(&b, []byte("`"+strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(database)+"`"))
		return b.String(), err
	},
}).Parse(`{{define "config.xml"}}<clickhouse>
<users_config>users.xml</users_config>
<access_control_improvements><select_from_system_db_requires_grant>true</select_from_system_db_requires_grant></access_control_improvements>
</clickhouse>
{{end}}{{define "users.xml"}}<clickhouse>
<profiles><default><constraints><merge_tree_disk><const/></merge_tree_disk></constraints></default><alone><max_sessions_for_user>1</max_sessions_for_user></alone><readonly><readonly>2</readonly></readonly></profiles>
<quotas><default/></quotas>
<users>
<default>
	<password/><networks><ip>::/0</ip></networks><profile>{{if .Open}}default{{else}}alone{{end}}</profile><quota>default</quota>
{{if not .Open}}	<grants>
		<query>GRANT SYSTEM LISTEN ON *.*</query>
		<query>GRANT SELECT ON system.numbers</query>
	</grants>
{{end}}</default>
<ordersync>
	<password_sha256_hex>{{hash .Owner}}</password_sha256_hex><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
	<grants>
		<query>GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SYSTEM VIEWS ON {{grantable .Database}}.*</query>
{{range .Engines}}		<query>GRANT TABLE ENGINE ON {{.}}</query>
{{end}}		<query>GRANT SELECT ON system.*</query>
	</grants>
</ordersync>
<reader>
	<password_sha256_hex>{{hash .Reader}}</password_sha256_hex><networks><ip>127.0.0.1</ip></networks><profile>readonly</profile><quota>default</quota>
	<grants><query>GRANT SELECT ON {{grantable .Database}}.*</query></grants>
</reader>
</users>
</clickhouse>
{{end}}`))

// engines are the kinds of tables that the owner may make. Each keeps its rows in the database and nowhere else.
var engines = []string{"MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "View", "MaterializedView", "Memory", "Null"}

// configure writes the configuration of a folder's server.
func (f files) configure(p passwords, o Options) error {
	if err := emptyDir(f.config); err != nil {
		return err
	}
	data := struct {
		Owner, Reader, Database string
		Engines                 []string
		Open                    bool
	}{p[Owner], p[Reader], o.Database, engines, o.Open}
	for _, name := range []string{"config.xml", "users.xml"} {
		var b bytes.Buffer
		err := configuration.ExecuteTemplate(&b, name, data)
		if err == nil {
			err = os.WriteFile(filepath.Join(f.config, name), b.Bytes(), 0o600)
		}
		if err != nil {
			return fmt.Errorf("write the configuration of the server: %w", err)
		}
	}
	if o.ConfigFile == "" {
		return nil
	}
	// The engine merges what is in this folder into its configuration.
	more, err := os.ReadFile(o.ConfigFile)
	if err == nil {
		err = os.Mkdir(filepath.Join(f.config, "config.d"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(f.config, "config.d", filepath.Base(o.ConfigFile)), more, 0o600)
	}
	return err
}
