// Package config reads ordersync's configuration: a file, variables of the
// environment, or both.
//
// The way is always the same: the defaults are laid down first, the file is
// decoded strictly over them with its variables filled in value by value, then
// the variables that are settings themselves (see [Prefix]), what depends on an
// account's source is completed, and the result is checked.
//
//	bytes ──parse──► syntax tree ──decode──┬─► Config ──complete──► Config ──check──► Config or *Error
//	environment ──path──► setting ──decode─┘                                  │
//	                                  │                             values that are wrong,
//	                     unknown and repeated keys,                 or wrong together
//	                     wrong types, unset variables
//
// Three promises shape the code.
//
// Everything that is wrong is reported at once, each problem with its field and
// its line or variable. A decoder that stops at the first unknown key, as libraries do,
// cannot keep that promise, so the syntax tree is read here: goccy/go-yaml
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
