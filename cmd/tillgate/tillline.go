package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"tillgate/protocol/iso8583"
)

// tillLine is a till's connection: it sends one message at a time and waits
// for its answer.
type tillLine struct {
	address string
	profile iso8583.Profile
	tls     *tls.Config
	key     *iso8583.Key // signs messages; nil: none
	timeout time.Duration
	trace   io.Writer // gets both messages, field by field; nil: silent

	codec  *iso8583.Codec
	conn   net.Conn
	reader *iso8583.Reader
}

func (l *tillLine) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// message makes an empty message in the line's dialect.
func (l *tillLine) message() *iso8583.Message {
	if l.codec == nil {
		l.codec = iso8583.NewCodec(l.profile)
	}
	return iso8583.NewMessage(l.codec)
}

// dial connects. What goes wrong here is what newcomers meet first, so it is
// told with what to do.
func (l *tillLine) dial() error {
	if l.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", l.address, l.timeout)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens on %s; start a server with 'tillgate serve --dev', or name the right address with --iso", l.address)
	case err != nil:
		return fmt.Errorf("connect to %s: %w", l.address, err)
	}
	if l.tls != nil {
		secured := tls.Client(conn, l.tls)
		secured.SetDeadline(time.Now().Add(l.timeout))
		if err := secured.Handshake(); err != nil {
			conn.Close()
			return fmt.Errorf("TLS with %s: %w", l.address, err)
		}
		conn = secured
	}
	l.conn, l.reader = conn, iso8583.NewReader(conn, l.profile.Framing)
	return nil
}

// exchange sends a message and reads its answer.
func (l *tillLine) exchange(m *iso8583.Message) (iso8583.Reply, error) {
	if err := l.dial(); err != nil {
		return iso8583.Reply{}, err
	}
	raw := l.codec.AppendSigned(nil, m, l.key)
	if err := l.show("→ "+l.address, raw); err != nil {
		return iso8583.Reply{}, err
	}
	frame, err := l.profile.Framing.AppendFrame(nil, iso8583.TPDU{0x60, 0, 1, 0, 2}, raw)
	if err != nil {
		return iso8583.Reply{}, err
	}
	l.conn.SetDeadline(time.Now().Add(l.timeout))
	if _, err := l.conn.Write(frame); err != nil {
		l.close()
		return iso8583.Reply{}, fmt.Errorf("send: %w", err)
	}
	answer, err := l.receive()
	if err != nil {
		l.close()
		return iso8583.Reply{}, unanswered(err, l.timeout)
	}
	if err := l.show("← "+l.address, answer); err != nil {
		return iso8583.Reply{}, err
	}
	return l.read(answer, m.Text(11))
}

// unanswered explains what a till is to do when no answer comes.
func unanswered(err error, limit time.Duration) error {
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("no answer within %v; what became of it is not known: send 'reverse', or the same message again", limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the server closed the connection without an answer; do both sides use the same --profile and TLS?")
	}
	return fmt.Errorf("receive: %w", err)
}

// receive waits for one frame.
func (l *tillLine) receive() ([]byte, error) {
	for {
		frame, ok, err := l.reader.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			return bytes.Clone(frame.Message), nil
		}
		if err := l.reader.Fill(); err != nil {
			return nil, err
		}
	}
}

func (l *tillLine) read(raw []byte, stan string) (iso8583.Reply, error) {
	m := l.message()
	if fault := l.codec.Decode(raw, m); !fault.OK() {
		return iso8583.Reply{}, fmt.Errorf("the answer can't be read: %w", fault)
	}
	reply, fault := m.Reply()
	if !fault.OK() {
		return reply, fmt.Errorf("the answer can't be read: %w", fault)
	}
	if reply.STAN != stan {
		return reply, fmt.Errorf("the answer is to message %s, not to %s", reply.STAN, stan)
	}
	return reply, nil
}

// show prints a message with everything secret masked.
func (l *tillLine) show(title string, raw []byte) error {
	if l.trace == nil {
		return nil
	}
	var text strings.Builder
	if err := l.profile.Describe(&text, raw); err != nil {
		return err
	}
	fmt.Fprintf(l.trace, "%s (%d bytes)\n", title, len(raw))
	for line := range strings.Lines(text.String()) {
		fmt.Fprint(l.trace, "    ", line)
	}
	return nil
}

// tlsFiles makes the client's side of a TLS connection.
func tlsFiles(ca, certificate, key string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		if conf.RootCAs = poolOf(pem); conf.RootCAs == nil {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", ca)
		}
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --cert-key: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
