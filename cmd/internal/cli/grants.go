package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/format"
)

func (p *program) grants() *cobra.Command {
	return &cobra.Command{
		Use:   "grants",
		Short: "Print the SQL that makes the users of a ClickHouse server",
		Long: `Print the statements with which the administrator of a ClickHouse server makes
the user who owns the warehouse (clickhouse.username) and the one who may only
read it (clickhouse.reader), as whom 'ordersync sql' and other programs log in.

Nothing is run. A password that is configured is printed as a salted hash; where
none is, put one in the place of the word PASSWORD. The embedded warehouse makes
its users itself.`,
		Example: "  ordersync grants | clickhouse-client --user default",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.loadOffline()
			if err != nil {
				return err
			}
			c := cfg.ClickHouse
			if c.IsEmbedded() {
				return errors.New("the embedded warehouse makes its users itself: `ordersync sql --login` prints how to log in")
			}
			reader := c.Reader
			if reader.Username == "" {
				reader.Username = "ordersync_reader"
			}
			everywhere := ""
			if c.Cluster != "" {
				everywhere = " ON CLUSTER " + format.Identifier(c.Cluster)
			}
			owner := format.Identifier(c.Username)
			lines := []string{
				"-- The owner of the warehouse: clickhouse.username.",
				"CREATE USER IF NOT EXISTS " + owner + everywhere + identified(c.Password.Reveal()) + ";",
				"GRANT" + everywhere + " ALL ON " + format.Identifier(c.Database) + ".* TO " + owner + ";",
				"GRANT" + everywhere + " SELECT ON system.* TO " + owner + ";",
			}
			if c.Cluster != "" {
				lines = append(lines, "GRANT"+everywhere+" CLUSTER, REMOTE ON *.* TO "+owner+";")
			}
			name := format.Identifier(reader.Username)
			lines = append(lines, "",
				"-- Who may only read it: clickhouse.reader. With readonly = 2 how numbers and tables are written may be chosen, and nothing changed.",
				"CREATE USER IF NOT EXISTS "+name+everywhere+identified(reader.Password.Reveal())+" SETTINGS readonly = 2;",
				"GRANT"+everywhere+" SELECT ON "+format.Identifier(c.Database)+".* TO "+name+";")
			_, err = fmt.Fprintln(p.out, strings.Join(lines, "\n"))
			return err
		},
	}
}

// identified says how a user proves who it is. The password itself is not shown (I10).
func identified(password string) string {
	if password == "" {
		return " IDENTIFIED WITH sha256_password BY 'PASSWORD'"
	}
	salt := rand.Text()
	return fmt.Sprintf(" IDENTIFIED WITH sha256_hash BY '%X' SALT '%s'", sha256.Sum256([]byte(password+salt)), salt)
}
