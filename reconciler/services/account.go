package services

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the unprivileged user that PostgreSQL runs as when we are root,
// for it refuses to run as root. The nil account is our own user.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged is the user to drop to: none unless we are root, then postgres,
// which Debian's package makes, else nobody.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil || uid == 0 {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, unavailable("PostgreSQL", "it refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}

// credential is what a child process runs with.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives path and all that is below it to the account. Symbolic links are
// changed themselves, not followed.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(name, int(a.uid), int(a.gid))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("give %s to the user %s: %w", path, a.name, err)
		}
		return nil
	})
}

// home creates dir and returns its absolute path, or that of a directory which
// stands for it where the account cannot enter dir, such as one below root's
// home. The substitute is the same at every start.
func (a *account) home(dir string, logf func(string, ...any)) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the database's directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", fmt.Errorf("create the database's directory: %w", err)
	}
	// The server compares and prints resolved paths, so hold one from the start.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("find the database's directory: %w", err)
	}
	if a == nil {
		return abs, nil
	}
	closed := a.closed(abs)
	if closed == "" {
		return abs, nil
	}
	substitute := standIn(abs)
	logf("PostgreSQL runs as the user %s, who may not enter %s: its data is in %s instead", a.name, closed, substitute)
	if err := os.MkdirAll(filepath.Dir(substitute), 0o755); err != nil {
		return "", fmt.Errorf("create the database's directory: %w", err)
	}
	if err := os.Mkdir(substitute, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("create the database's directory: %w", err)
	}
	// Below /tmp anybody could have made it first, to read or steer the server.
	info, err := os.Lstat(substitute)
	if err != nil {
		return "", fmt.Errorf("look at the database's directory: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || st.Uid != 0 {
		return "", fmt.Errorf("%s is not a directory of root's own: remove it", substitute)
	}
	if closed := a.closed(substitute); closed != "" {
		return "", fmt.Errorf("PostgreSQL runs as the user %s, who may enter neither %s nor %s", a.name, abs, closed)
	}
	return substitute, nil
}

// standIn is the directory that stands for one which the account cannot enter:
// temporary for a temporary one, else where a system keeps such data.
func standIn(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	name := "postgres-" + hex.EncodeToString(sum[:8])
	if tmp := filepath.Clean(os.TempDir()); strings.HasPrefix(dir, tmp+string(filepath.Separator)) {
		return filepath.Join(tmp, "tillgate-"+name)
	}
	return filepath.Join("/var/lib/tillgate", name)
}

// closed is the first directory on the way to dir, itself included, that the
// account may not pass; empty if it reaches dir.
func (a *account) closed(dir string) string {
	path := string(filepath.Separator)
	for _, part := range strings.Split(dir, string(filepath.Separator)) {
		path = filepath.Join(path, part)
		info, err := os.Stat(path)
		if err != nil {
			return path
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		bit := fs.FileMode(0o001)
		switch {
		case st.Uid == a.uid:
			bit = 0o100
		case st.Gid == a.gid:
			bit = 0o010
		}
		if info.Mode().Perm()&bit == 0 {
			return path
		}
	}
	return ""
}
