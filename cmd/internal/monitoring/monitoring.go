// Package monitoring holds Grafana dashboards and Prometheus alerting rules, ready to be used as they are. Its tests hold every
// metric and label that they name against those that the daemon really has, and run every statement against a warehouse.
package monitoring

import _ "embed" // the files below

// Dashboard is the Grafana dashboard of the daemons, as JSON to be imported. It asks for nothing but a Prometheus data source.
//
//go:embed dashboard.json
var Dashboard []byte

// Business is the Grafana dashboard of what was ordered, as JSON to be imported. It asks for nothing but a ClickHouse data source
// whose default database is the warehouse's.
//
//go:embed business.json
var Business []byte

// Rules are the Prometheus alerting rules, as YAML for rule_files.
//
//go:embed rules.yaml
var Rules []byte
