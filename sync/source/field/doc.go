// Package field reads single fields of vendors' payloads: texts, ids, amounts, times, and what is packed inside texts. It
// decides nothing about which field goes where; that is each vendor's own table.
//
// A [Row] is the state of reading one record. The first thing that is wrong with it is kept and makes the record a reject
// with its raw payload (I4); nothing is guessed, rounded or wrapped on the way (I5, I6). [Lines] does the same for the
// lines of one order, which must also fit together.
package field
