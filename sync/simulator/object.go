package simulator

import (
	"strconv"
	"time"
)

// object writes a JSON object, field by field.
type object struct{ b []byte }

func (w *object) key(k string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), k...), `":`...)
}

func (w *object) text(k, v string) {
	w.key(k)
	w.b = appendString(w.b, v)
}

func (w *object) number(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

// digits writes a number as text.
func (w *object) digits(k string, v int64) {
	w.key(k)
	w.b = append(strconv.AppendInt(append(w.b, '"'), v, 10), '"')
}

// time writes Unix seconds as the vendor documents: yyyy-MM-ddTHH:mm:ssZ, always UTC.
func (w *object) time(k string, t int64) {
	w.key(k)
	w.b = append(time.Unix(t, 0).UTC().AppendFormat(append(w.b, '"'), time.RFC3339), '"')
}

// raw writes what is JSON already.
func (w *object) raw(k, v string) {
	w.key(k)
	w.b = append(w.b, v...)
}

func (w *object) flag(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

// amount writes v*10^-scale as a number.
func (w *object) amount(k string, v int64, scale uint8) {
	w.key(k)
	w.b = appendNumber(w.b, v, scale)
}

// millis writes Unix seconds as milliseconds; null where there is no time.
func (w *object) millis(k string, t int64, ok bool) {
	w.key(k)
	if !ok {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = strconv.AppendInt(w.b, t*1000, 10)
}

// localLayout is how UniCloud's filters and the Domain API write times: without a zone.
const localLayout = "2006-01-02 15:04:05"

func (w *object) local(k string, t int64, zone *time.Location) {
	w.key(k)
	w.b = append(time.Unix(t, 0).In(zone).AppendFormat(append(w.b, '"'), localLayout), '"')
}
