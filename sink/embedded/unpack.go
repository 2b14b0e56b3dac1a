package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// unpack checks the archive and puts the library at its place in one step. Whatever goes wrong, nothing is there that
// could be taken for the library. Where no hash is pinned, first is what is trusted from then on.
func (s store) unpack(ctx context.Context, archive, tmp string, want digest, first trust) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := want.hash()
	if _, err := io.Copy(sum, reader{ctx, f}); err != nil {
		return err
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want.sum) {
		return fmt.Errorf("the package %s has another hash (%x) than it should, %s: it was damaged or altered on its way and is not used; %s",
			s.spec(), got, want, want.remedy)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	zip, err := gzip.NewReader(reader{ctx, f})
	if err != nil {
		return err
	}
	for files := tar.NewReader(zip); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s has no package/%s", filepath.Base(archive), fileName)
		}
		if err != nil {
			return err
		}
		if h.Name != "package/"+fileName || h.Typeflag != tar.TypeReg {
			continue
		}
		if s.build.sha256 != "" && h.Size != s.build.librarySize {
			return fmt.Errorf("%s has a size of %d, not %d", h.Name, h.Size, s.build.librarySize)
		}
		part := filepath.Join(tmp, fileName)
		if err := s.write(part, files, h.Size); err != nil {
			return err
		}
		if s.build.sha256 == "" {
			first.LibrarySize = h.Size
			if err := s.writeTrust(first); err != nil {
				return err
			}
		}
		if err := os.Rename(part, s.path()); err != nil {
			return err
		}
		return syncDir(filepath.Dir(s.path()))
	}
}

// write stores the library and waits until the disk has it: the rename must not be durable before the content is.
func (s store) write(path string, content io.Reader, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	counted := &counter{w: f, report: func(n int64) {
		if n < size { // the end is reported when the disk has it
			s.progress("unpack", n, size)
		}
	}}
	n, err := io.Copy(counted, content)
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%s has a size of %d, not %d", fileName, n, size)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.progress("unpack", n, size)
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reader ends a long copy when the context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// counter reports how much was written, a few times a second.
type counter struct {
	w      io.Writer
	report func(int64)
	n      int64
	last   time.Time
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if time.Since(c.last) > pollInterval {
		c.last = time.Now()
		c.report(c.n)
	}
	return n, err
}
