package iso8583

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

var framings = map[string]Framing{
	"binary": {}, "binary tpdu": {TPDU: true},
	"ascii": {Length: LengthASCII}, "ascii tpdu": {Length: LengthASCII, TPDU: true},
	"bcd": {Length: LengthBCD}, "bcd tpdu": {Length: LengthBCD, TPDU: true},
}

// drain reads all frames of a stream.
func drain(r *Reader) (frames []Frame, err error) {
	for {
		for {
			frame, ok, err := r.Next()
			if err != nil {
				return frames, err
			}
			if !ok {
				break
			}
			frame.Message = bytes.Clone(frame.Message)
			frames = append(frames, frame)
		}
		if err := r.Fill(); err != nil {
			return frames, err
		}
	}
}

func TestFramesOnTheWire(t *testing.T) {
	tpdu := TPDU{0x60, 0, 1, 0, 2}
	for name, want := range map[string]string{
		"binary": "000c 303830300000000000000000", "binary tpdu": "0011 6000010002 303830300000000000000000",
		"ascii": "30303132 303830300000000000000000", "ascii tpdu": "30303137 6000010002 303830300000000000000000",
		"bcd": "0012 303830300000000000000000", "bcd tpdu": "0017 6000010002 303830300000000000000000",
	} {
		frame, err := framings[name].AppendFrame(nil, tpdu, []byte("0800\x00\x00\x00\x00\x00\x00\x00\x00"))
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(want, " ", ""), hex.EncodeToString(frame), name)
	}
	require.Equal(t, TPDU{0x60, 0, 2, 0, 1}, tpdu.Answer())
}

func TestReaderTakesFramesHoweverTheyCome(t *testing.T) {
	tpdu := TPDU{0x60, 1, 2, 3, 4}
	bodies := [][]byte{[]byte("a"), bytes.Repeat([]byte("b"), 700), []byte("c"), bytes.Repeat([]byte("d"), MaxFrame-tpduLen), []byte("e")}
	for name, framing := range framings {
		var stream []byte
		var err error
		for _, body := range bodies {
			stream = framing.AppendKeepAlive(stream)
			stream, err = framing.AppendFrame(stream, tpdu, body)
			require.NoError(t, err)
		}
		for way, source := range map[string]io.Reader{
			"at once":        bytes.NewReader(stream),
			"byte by byte":   iotest.OneByteReader(bytes.NewReader(stream)),
			"halves":         iotest.HalfReader(bytes.NewReader(stream)),
			"data with EOF":  iotest.DataErrReader(bytes.NewReader(stream)),
			"a frame a time": &chunks{stream, 703},
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				r := NewReader(source, framing)
				frames, err := drain(r)
				require.ErrorIs(t, err, io.EOF)
				require.Len(t, frames, len(bodies))
				for i, frame := range frames {
					require.Equal(t, bodies[i], frame.Message)
					if framing.TPDU {
						require.Equal(t, tpdu, frame.TPDU)
					}
				}
				require.LessOrEqual(t, len(r.buffer), readerBound)
				require.Equal(t, uint64(2*len(bodies)), r.Frames(), "keep-alives too")
			})
		}
	}
}

// chunks gives a stream in pieces of n bytes.
type chunks struct {
	left []byte
	n    int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.n)], c.left)
	c.left = c.left[n:]
	return n, nil
}

// TestOneReadBringsManyFrames: frames that are there together cost one call.
func TestOneReadBringsManyFrames(t *testing.T) {
	var stream []byte
	for range 15 {
		stream, _ = Framing{}.AppendFrame(stream, TPDU{}, bytes.Repeat([]byte("x"), 100))
	}
	source := &counted{Reader: bytes.NewReader(stream)}
	frames, err := drain(NewReader(source, Framing{}))
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, frames, 15)
	require.Equal(t, 2, source.reads, "one for the frames, one for the end")
}

type counted struct {
	io.Reader
	reads, bytes int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.reads, c.bytes = c.reads+1, c.bytes+n
	return n, err
}

func TestFramingErrorsEndAtOnce(t *testing.T) {
	for _, c := range []struct {
		name, header string
		framing      Framing
		want         error
	}{
		{"one byte over the limit", "\x20\x01", Framing{}, ErrFrameTooLong},
		{"65535 bytes", "\xff\xff", Framing{}, ErrFrameTooLong},
		{"9999 bytes in ASCII", "9999", Framing{Length: LengthASCII}, ErrFrameTooLong},
		{"9999 bytes in BCD", "\x99\x99", Framing{Length: LengthBCD}, ErrFrameTooLong},
		{"letters in ASCII", "00A1", Framing{Length: LengthASCII}, ErrBadLength},
		{"a sign in ASCII", "+012", Framing{Length: LengthASCII}, ErrBadLength},
		{"a half byte of 10", "\x00\x0a", Framing{Length: LengthBCD}, ErrBadLength},
		{"too short for the TPDU", "\x00\x04abcd", Framing{TPDU: true}, ErrNoTPDU},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := &counted{Reader: io.MultiReader(strings.NewReader(c.header), endless{})}
			r := NewReader(source, c.framing)
			require.NoError(t, r.Fill())
			_, ok, err := r.Next()
			require.False(t, ok)
			require.ErrorIs(t, err, c.want)
			_, _, err = r.Next()
			require.ErrorIs(t, err, c.want, "it is final")
			require.LessOrEqual(t, source.bytes, readerStart)
			require.Len(t, r.buffer, readerStart, "no memory for what will not be read")
		})
	}
}

// endless is a peer that never stops sending.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

func TestHalfAFrame(t *testing.T) {
	for _, half := range []string{"\x00", "\x00\x0c", "\x00\x0c0800"} {
		r := NewReader(strings.NewReader(half), Framing{})
		require.False(t, r.Partial())
		require.NoError(t, r.Fill())
		_, ok, err := r.Next()
		require.NoError(t, err)
		require.False(t, ok)
		require.True(t, r.Partial())
		require.ErrorIs(t, r.Fill(), io.ErrUnexpectedEOF)
	}
}

// TestOversizedFrameIsNotSent: Close takes it off again.
func TestOversizedFrameIsNotSent(t *testing.T) {
	for _, framing := range framings {
		before := []byte("before")
		dst, err := framing.AppendFrame(before, TPDU{}, make([]byte, MaxFrame+1))
		require.ErrorIs(t, err, ErrFrameTooLong)
		require.Equal(t, before, dst)
	}
}

// TestDeadlinePerFrame is the loop of Reader's comment against a peer that
// sends one byte after another: the deadline of a frame does not move.
func TestDeadlinePerFrame(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		whole, _ := Framing{}.AppendFrame(nil, TPDU{}, []byte("whole"))
		client.Write(whole)
		for { // a frame of 8 KiB, a byte at a time
			if _, err := client.Write([]byte{0x1f}); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	r := NewReader(server, Framing{})
	frames, renewals, since := 0, 0, ^uint64(0)
	const perFrame = 60 * time.Millisecond
	start := time.Now()
	for {
		_, ok, err := r.Next()
		require.NoError(t, err)
		if ok {
			frames++
			start = time.Now()
			continue
		}
		switch {
		case !r.Partial():
			server.SetReadDeadline(time.Now().Add(time.Minute))
		case r.Frames() != since:
			since = r.Frames()
			renewals++
			server.SetReadDeadline(time.Now().Add(perFrame))
		}
		if err := r.Fill(); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	require.Equal(t, 1, frames)
	require.LessOrEqual(t, renewals, 2)
	require.GreaterOrEqual(t, time.Since(start), perFrame)
}

// FuzzReader: any stream, cut anywhere, gives the frames that a plain reading
// of it gives, with bounded memory and no panic.
func FuzzReader(f *testing.F) {
	names := []string{"binary", "binary tpdu", "ascii", "ascii tpdu", "bcd", "bcd tpdu"}
	for i, name := range names {
		framing := framings[name]
		stream := framing.AppendKeepAlive(nil)
		for _, s := range samples {
			stream, _ = framing.AppendFrame(stream, TPDU{0x60, 0, 1, 0, 2}, s.encoded(f, NewCodec(Profile{})))
		}
		f.Add(uint8(i), uint16(7), stream)
		f.Add(uint8(i), uint16(1), stream[:len(stream)-3])
	}
	f.Fuzz(func(t *testing.T, which uint8, step uint16, stream []byte) {
		framing := framings[names[int(which)%len(names)]]
		want, wantErr := plain(framing, stream)
		r := NewReader(&chunks{stream, int(step)%4096 + 1}, framing)
		got, err := drain(r)
		require.Equal(t, want, got)
		require.ErrorIs(t, err, wantErr)
		require.LessOrEqual(t, len(r.buffer), readerBound)
	})
}

// plain cuts a whole stream into frames the simplest way.
func plain(framing Framing, stream []byte) (frames []Frame, err error) {
	for len(stream) > 0 {
		if len(stream) < framing.headerLen() {
			return frames, io.ErrUnexpectedEOF
		}
		n, err := framing.length(stream)
		if err != nil {
			return frames, err
		}
		stream = stream[framing.headerLen():]
		if len(stream) < n {
			return frames, io.ErrUnexpectedEOF
		}
		if n > 0 {
			var frame Frame
			body := stream[:n]
			if framing.TPDU {
				frame.TPDU, body = TPDU(body[:5]), body[5:]
			}
			frame.Message = bytes.Clone(body)
			if len(body) == 0 {
				frame.Message = []byte{}
			}
			frames = append(frames, frame)
		}
		stream = stream[n:]
	}
	return frames, io.EOF
}
