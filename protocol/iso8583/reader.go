package iso8583

import "io"

// Frame is one frame of a stream. Message is valid until the next Fill.
type Frame struct {
	TPDU    TPDU // zero without a TPDU in the framing
	Message []byte
}

// Reader takes frames off a stream with one buffer: one Read brings in as many
// frames as the peer has sent, and they are handed out without copying. The
// buffer starts small and never grows over its bound, whatever the peer says
// about lengths.
//
// Reading and waiting are apart so that the caller's deadlines can tell a till
// that is silent (it may be, for hours) from one that sends half a frame:
//
//	since := ^uint64(0)
//	for {
//		for {
//			frame, ok, err := reader.Next()
//			if err != nil { return err }   // end the connection
//			if !ok { break }
//			handle(frame)
//		}
//		switch {
//		case !reader.Partial():
//			conn.SetReadDeadline(now().Add(idle))
//		case reader.Frames() != since: // once a frame: a byte does not buy more time
//			since = reader.Frames()
//			conn.SetReadDeadline(now().Add(perFrame))
//		}
//		if err := reader.Fill(); err != nil { return err }
//	}
type Reader struct {
	source     io.Reader
	framing    Framing
	buffer     []byte
	start, end int // what is unread
	frames     uint64
}

const (
	readerStart = 2 << 10 // most tills never need more
	// readerBound holds the largest frame with its header, and one more Read's
	// worth behind it.
	readerBound = 2*MaxFrame + 8
)

// NewReader reads frames from source.
func NewReader(source io.Reader, framing Framing) *Reader {
	return &Reader{source: source, framing: framing, buffer: make([]byte, readerStart)}
}

// Next is the next frame that has come in whole; ok is false when more bytes
// are needed. It does no I/O. Keep-alives are skipped. An error (a length that
// is over the limit or no number) is final: nothing of that frame is read.
func (r *Reader) Next() (frame Frame, ok bool, err error) {
	header := r.framing.headerLen()
	for r.end-r.start >= header {
		unread := r.buffer[r.start:r.end]
		n, err := r.framing.length(unread)
		if err != nil {
			return Frame{}, false, err
		}
		if len(unread) < header+n {
			return Frame{}, false, nil
		}
		r.start += header + n
		r.frames++
		if n == 0 {
			continue
		}
		frame.Message = unread[header : header+n : header+n]
		if r.framing.TPDU {
			frame.TPDU = TPDU(frame.Message)
			frame.Message = frame.Message[tpduLen:]
		}
		return frame, true, nil
	}
	return Frame{}, false, nil
}

// Partial reports that a frame has begun and is not there whole.
func (r *Reader) Partial() bool { return r.end > r.start }

// Frames counts the frames taken off, keep-alives too: while it stands still,
// an unfinished frame is the same one, and its deadline is not to be renewed.
func (r *Reader) Frames() uint64 { return r.frames }

// Fill does one Read into the free part of the buffer. Call it when Next has
// nothing more. io.EOF between frames is io.EOF; inside a frame it is
// io.ErrUnexpectedEOF.
func (r *Reader) Fill() error {
	r.makeRoom()
	n, err := r.source.Read(r.buffer[r.end:])
	r.end += n
	if n > 0 {
		return nil // an error stands until the next Read
	}
	if err == io.EOF && r.Partial() {
		return io.ErrUnexpectedEOF
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// makeRoom moves what is unread to the front and grows the buffer when it is
// full; Next leaves at most one unfinished frame, so the bound is never full.
func (r *Reader) makeRoom() {
	if r.start > 0 {
		r.end = copy(r.buffer, r.buffer[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buffer) && r.end < readerBound {
		grown := make([]byte, min(2*len(r.buffer), readerBound))
		copy(grown, r.buffer[:r.end])
		r.buffer = grown
	}
}
