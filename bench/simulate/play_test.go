package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

// step is one thing that happens. What exactly is drawn from the seed and its
// number, so that leaving others out leaves it what it is.
type step struct {
	number int
	kind   string
	do     func(w *world, seed uint64, number int) error
}

// kinds are what may happen, each as often as it stands here.
var kinds = []struct {
	often int
	name  string
	do    func(w *world, seed uint64, number int) error
}{
	{60, "ask", askStep},
	{12, "instant", instantStep},
	{8, "minutes", minutesStep},
	{3, "hours", hoursStep},
	{5, "lost answer", lostStep},
	{6, "give up", giveUpStep},
	{8, "late copy", lateStep},
	{5, "kill", killStep},
	{2, "restart", restartStep},
	{1, "disk fails", diskStep},
	{2, "disk slow", slowStep},
	{4, "stream", streamStep},
	{3, "database", databaseStep},
	{3, "clock", clockStep},
}

// plan draws n steps from a seed.
func plan(seed uint64, n int) (steps []step) {
	sum := 0
	for _, k := range kinds {
		sum += k.often
	}
	for i := range n {
		at := draw(seed, i).IntN(sum)
		for _, k := range kinds {
			if at -= k.often; at < 0 {
				steps = append(steps, step{i, k.name, k.do})
				break
			}
		}
	}
	return steps
}

// outcome is what became of a run.
type outcome struct {
	err    error
	trace  []string
	counts map[string]int // of answers by call
}

// play runs steps in a bubble of virtual time.
func play(t *testing.T, seed uint64, steps []step) (out outcome) {
	ended := false
	defer func() {
		// A process whose disk has failed closes nothing: the operating system
		// would end what is left of it, a bubble can't.
		if p := recover(); p != nil && (!ended || !strings.Contains(fmt.Sprint(p), "blocked goroutines remain")) {
			panic(p)
		}
	}()
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(*testing.T) {
		w := newWorld(draw(seed, -1))
		if out.err = w.run(seed, steps); out.err != nil {
			w.abandon()
		}
		out.trace = w.trace
		out.counts = map[string]int{}
		for _, s := range w.book.final {
			out.counts[s.r.Call.String()]++
		}
		ended = w.died > 0 || out.err != nil
	})
	return out
}

func (w *world) run(seed uint64, steps []step) error {
	if err := w.begin(); err != nil {
		return fmt.Errorf("before the first step: %w", err)
	}
	for _, s := range steps {
		for _, t := range w.tills {
			if err := t.listen(w); err != nil {
				return err
			}
		}
		if w.server.dead.Load() {
			w.say("the disk has ended the process")
			if err := w.kill(draw(seed, s.number), 0); err != nil {
				return err
			}
		}
		if err := s.do(w, seed, s.number); err != nil {
			return fmt.Errorf("step %d, %s: %w", s.number, s.kind, err)
		}
		time.Sleep(pause(draw(seed, s.number)))
	}
	return w.finish()
}

// pause lies between two steps: often so short that a sync is under way when
// the next thing happens, and never a round number, so that no timer ends at
// the same moment.
func pause(r *rand.Rand) time.Duration {
	longest := []int64{200_003, 700_001, 3_000_017}[r.IntN(3)]
	return time.Duration(1 + r.Int64N(longest))
}

// begin opens the shop: a programme, members with cards and points, tills.
func (w *world) begin() error {
	if err := w.start(); err != nil {
		return err
	}
	office := &till{name: "office"}
	approved := func(r protocol.Request) (*protocol.Response, error) {
		r.Terminal, r.Store, r.Cashier, r.Channel = "", "", "", ""
		res, err := w.office(r)
		if err == nil && !res.Code.OK() {
			err = fmt.Errorf("%s: %s %s %s", r.Call, res.Code, res.Field, res.Detail)
		}
		return res, err
	}
	r := office.request(protocol.CallPutProgram)
	r.Document = []byte(programme)
	if _, err := approved(r); err != nil {
		return err
	}
	for i := range 4 {
		p := &person{phone: fmt.Sprintf("+7701000000%d", i), card: fmt.Sprintf("400000%d", i), owned: 10_000, host: i == 0}
		r := office.request(protocol.CallCreateMember)
		r.Profile = &protocol.Profile{Phone: &p.phone}
		if i > 0 {
			r.Profile.Referrer = protocol.Identifier{Kind: protocol.ByPhone, Value: w.people[0].phone}
		}
		res, err := approved(r)
		if err != nil {
			return err
		}
		if p.id, err = ledger.ParseAccountID(res.Member.ID); err != nil {
			return err
		}
		r = office.request(protocol.CallAddCard)
		r.Target, r.Card = res.Member.ID, protocol.Card{Number: p.card}
		if _, err := approved(r); err != nil {
			return err
		}
		r = office.request(protocol.CallAdjust)
		r.Target, r.Points, r.Reason = res.Member.ID, p.owned, "to begin with"
		if _, err := approved(r); err != nil {
			return err
		}
		w.people = append(w.people, p)
	}
	for i := range 3 {
		w.tills = append(w.tills, &till{name: fmt.Sprintf("T%d", i)})
	}
	return nil
}

func askStep(w *world, seed uint64, number int) error {
	r := draw(seed, number)
	r.Uint64() // the plan's
	t := w.tills[r.IntN(len(w.tills))]
	if t.now == nil {
		t.ask(w, r)
		return nil
	}
	w.say("%s sends %s again", t.name, t.now.r.Key)
	t.send(w)
	return nil
}

func instantStep(_ *world, seed uint64, number int) error {
	time.Sleep(time.Duration(draw(seed, number).Int64N(20_000_001)))
	return nil
}

func minutesStep(_ *world, seed uint64, number int) error {
	time.Sleep(time.Duration(1 + draw(seed, number).Int64N(int64(6*time.Minute))))
	return nil
}

func hoursStep(w *world, _ uint64, _ int) error {
	// As the clock goes for a machine that was asleep: nothing ran meanwhile.
	w.offset.Add(int64(time.Hour + 17*time.Minute))
	w.say("an hour later")
	return nil
}

func lostStep(w *world, seed uint64, number int) error {
	t := w.tills[draw(seed, number).IntN(len(w.tills))]
	if t.now != nil {
		w.say("%s does not hear the answer to %s", t.name, t.now.r.Key)
		t.hangUp()
	}
	return nil
}

func giveUpStep(w *world, seed uint64, number int) error {
	for _, i := range draw(seed, number).Perm(len(w.tills)) {
		if t := w.tills[i]; t.now != nil && t.now.keyed() && t.now.r.Call != protocol.CallReverse {
			t.giveUp(w)
			break
		}
	}
	return nil
}

func lateStep(w *world, seed uint64, number int) error {
	if n := len(w.late); n > 0 {
		w.late[n-1-draw(seed, number).IntN(min(n, 6))].arrive(w)
	}
	return nil
}

func killStep(w *world, seed uint64, number int) error {
	r := draw(seed, number)
	percent := []int{0, 0, 10, 50, 100}[r.IntN(5)]
	w.say("killed, with %d %% of what was not synced", percent)
	return w.kill(r, percent)
}

func restartStep(w *world, _ uint64, _ int) error {
	w.say("stopped in order")
	if err := w.stop(); err != nil {
		return err
	}
	if w.server.dead.Load() {
		return nil // the next step finds it dead
	}
	for _, t := range w.tills {
		if err := t.listen(w); err != nil {
			return err
		}
	}
	return w.start()
}

func diskStep(w *world, seed uint64, number int) error {
	fault := []syscall.Errno{syscall.EIO, syscall.ENOSPC}[draw(seed, number).IntN(2)]
	w.say("the disk fails: %s", fault)
	w.disk.fault.Store(&fault)
	return nil
}

func slowStep(w *world, seed uint64, number int) error {
	d := []time.Duration{0, 0, 20 * time.Millisecond, time.Second}[draw(seed, number).IntN(4)]
	w.say("a sync takes %s longer", d)
	w.disk.slow.Store(int64(d))
	return nil
}

func streamStep(w *world, seed uint64, number int) error {
	b := w.brokers
	b.down.Store(false)
	b.lossy.Store(false)
	b.slow.Store(0)
	switch draw(seed, number).IntN(4) {
	case 0:
		w.say("no broker answers")
		b.down.Store(true)
	case 1:
		w.say("acknowledgements are lost")
		b.lossy.Store(true)
	case 2:
		w.say("the brokers are slow")
		b.slow.Store(int64(1700 * time.Millisecond))
	default:
		w.say("the brokers are well")
	}
	return nil
}

func databaseStep(w *world, seed uint64, number int) error {
	what := draw(seed, number).IntN(3)
	w.say("the database: %d", what)
	w.stuck.Store(int32(what))
	return nil
}

func clockStep(w *world, seed uint64, number int) error {
	r := draw(seed, number)
	d := []time.Duration{-time.Hour, -time.Second, time.Second, 10 * time.Minute}[r.IntN(4)]
	w.say("the clock is set by %s", d)
	w.offset.Add(int64(d))
	return nil
}
