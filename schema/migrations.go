package schema

import "embed"

// Migrations holds the SQL files that create the tables and views, in the order of their numbers. They are run by goose
// when the warehouse is opened; each may run twice, because two processes may start at once. They are written for one
// server; Cluster makes of them what a cluster needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS
