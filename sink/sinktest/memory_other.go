//go:build !linux

package sinktest

func memory() string { return "" }
