// Package field reads single fields of vendors' payloads: texts, ids, amounts, times, and what is packed inside texts. It
// decides nothing about which field goes where; that is each vendor's own table.
//
// Two readings are by rule and not by the letter, and the payload keeps what was sent: a JSON number with the dust of a
// binary serializer is the number that was serialized ([ParseNumber]; text is never read so), and the end of a service
// that lies beyond the columns is no end ([Row.End]).
//
// A [Row] is the state of reading one record. The first thing that is wrong with it is kept and makes the record a reject
// with its raw payload (I4); nothing is guessed, rounded or wrapped on the way (I5, I6). [Lines] does the same for the
// lines of one order, which must also fit together.
package field
