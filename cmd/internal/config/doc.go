// Package config reads ordersync's configuration file.
//
// The way of a file is always the same: the defaults are laid down first, the
// file is decoded strictly over them, variables are filled in value by value,
// what depends on an account's source is completed, and the result is checked.
//
//	bytes ──parse──► syntax tree ──walk──► Config ──complete──► Config ──check──► Config or *Error
//	                                │                                      │
//	                     unknown and repeated keys,              values that are wrong,
//	                     wrong types, unset variables            or wrong together
//
// Three promises shape the code.
//
// Everything that is wrong is reported at once, each problem with its line and
// its field. A decoder that stops at the first unknown key, as libraries do,
// cannot keep that promise, so the syntax tree is walked here: goccy/go-yaml
// parses, and decode.go maps the tree to the structs by their yaml tags. A field
// that already has a problem is not judged again, so one mistake is one line.
//
// No error shows a secret (I10). Variables are filled in after parsing, so the
// source never holds their values; messages quote a value only as it is written
// in the file, and never that of a secret field; source lines are never quoted.
//
// The structs are safe to print. Secrets are of type [Secret], which every
// printer sees as [redacted].
package config
