// Package services starts the two servers that stand behind the reconciler,
// for development and for tests: a real PostgreSQL and a real Apache Kafka,
// each in a directory of its own, on loopback only, without containers.
//
// Invariants:
//   - A server never outlives the process that started it: on Linux the kernel
//     ends it with its parent (see process.go), elsewhere the next start on the
//     same directory ends what is left.
//   - A directory can be started again after any kind of end, SIGKILL of the
//     server or of its parent included, and holds what was committed.
//   - Servers are signalled by their own process ids, which this package
//     started or found in the directory's own pid file; never by name.
//   - Whatever the machine lacks (no JDK, no registry) is an ErrUnavailable
//     with one sentence that says what to do; callers serve or test on without.
//
// Package servicetest shares one server of each kind among tests.
package services

import (
	"errors"
	"fmt"
)

// ErrUnavailable is wrapped by the errors of StartPostgres and StartKafka when
// this machine has no means of running the service, as opposed to a service
// that failed. Its text is one sentence that names what is missing.
var ErrUnavailable = errors.New("not available on this machine")

// unavailable says that a service cannot run here and why.
func unavailable(service, format string, args ...any) error {
	return fmt.Errorf("%s is %w: %s", service, ErrUnavailable, fmt.Sprintf(format, args...))
}
