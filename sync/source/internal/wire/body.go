package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"unsafe"
)

// maxBody is far beyond the largest page that anybody would ask for.
const maxBody = 64 << 20

var errTooLong = errors.New("the answer is longer than 64 MiB; ask for smaller pages")

// buffers for bodies whose length is not known: a page is read into one that has the size of earlier pages, and then
// copied once.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads a whole body, and closes it. A byte order mark before it says nothing, and no parser takes it.
func readBody(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	body, err := readAll(resp)
	return strings.TrimPrefix(body, "\ufeff"), err
}

func readAll(resp *http.Response) (string, error) {
	from := io.Reader(resp.Body)
	zipped := false
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "gzip", "x-gzip": // two names of one thing, as HTTP has it
		zipped = true
	}
	if n := resp.ContentLength; n > 0 && n <= maxBody && !zipped {
		b := make([]byte, n)
		read, err := io.ReadFull(from, b)
		return unsafe.String(unsafe.SliceData(b), read), err // nobody writes to b any more
	}
	if zipped {
		z, err := gzip.NewReader(from)
		if err != nil {
			return "", err
		}
		from = z
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		const keep = 1 << 20 // a rare giant must not stay
		if buf.Cap() <= keep {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	n, err := buf.ReadFrom(io.LimitReader(from, maxBody+1))
	if n > maxBody {
		return "", errTooLong
	}
	return buf.String(), err
}
