// Package monitoring holds a Grafana dashboard and Prometheus alerting rules for the metrics of a daemon, ready to be used
// as they are. Its tests hold every metric and label that they name against those that the daemon really has.
package monitoring

import _ "embed" // the two files below

// Dashboard is the Grafana dashboard, as JSON to be imported. It asks for nothing but a Prometheus data source.
//
//go:embed dashboard.json
var Dashboard []byte

// Rules are the Prometheus alerting rules, as YAML for rule_files.
//
//go:embed rules.yaml
var Rules []byte
