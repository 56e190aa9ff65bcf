package processor

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// scene is one step of a trace: some time passes, then requests come at once.
type scene struct {
	wait     time.Duration
	requests []protocol.Request
}

// stage plays a trace. Who has no friend above is asked about in groups; the
// others one at a time, because rewards that come from two partitions at one
// moment arrive in either order.
type stage struct {
	*shop
	r     *rand.Rand
	holds []string
	sales []string
	keyed []protocol.Request
}

const scenes = 160

// openStage opens a shop on a new disk with the store's secret of another one.
func openStage(t *testing.T, secret []byte, tune func(*ledger.Options)) *stage {
	s := &shop{t: t, fs: vfs.NewMem(), tune: func(o *ledger.Options) {
		// What falls due is recorded when it is met: a sweeper that runs by real
		// time would meet it at other moments in every run.
		o.SweepEvery, o.WindowAge = 1000*time.Hour, 1000*time.Hour
		o.WindowRecords = 40
		tune(o)
	}}
	if secret != nil {
		require.NoError(t, s.fs.MkdirAll("data", 0o755))
		f, err := s.fs.Create("data/ledger.key", vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write(secret)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	s.clock.Store(morning.UnixNano())
	s.open()
	require.Equal(t, protocol.Approved, s.put("", modelled).Code)
	st := &stage{shop: s, r: rand.New(rand.NewPCG(5, 3))}
	for i := range 8 {
		var above []ledger.AccountID
		if i >= 1 && i < 4 {
			above = []ledger.AccountID{100}
		}
		st.later(time.Second)
		st.below(ledger.AccountID(100+i), fmt.Sprintf("400000%d", i), above, ledger.LotPart{Active: 1, Points: 5000})
	}
	return st
}

// together sends requests one behind the other and waits for all answers.
func (s *stage) together(requests []protocol.Request) (all []*protocol.Response) {
	var wait sync.WaitGroup
	for _, r := range requests {
		x := &protocol.Exchange{Request: r}
		wait.Add(1)
		x.Done = func(*protocol.Exchange) { wait.Done() }
		all = append(all, &x.Response)
		s.s.Submit(x)
	}
	wait.Wait()
	s.arrived(s.t)
	return all
}

// next draws a scene from what has been answered so far.
func (s *stage) next() scene {
	waits := []time.Duration{time.Second, time.Second, time.Minute, 20 * time.Minute, 2 * time.Hour}
	sc := scene{wait: waits[s.r.IntN(len(waits))]}
	if s.r.IntN(2) == 0 {
		sc.requests = append(sc.requests, s.draw(0))
		return sc
	}
	for range 1 + s.r.IntN(12) {
		r := s.draw(4)
		if r.HasBasket && r.Receipt.Number == "" {
			r.Receipt = protocol.Receipt{Number: r.Key, Shift: "45"}
		}
		sc.requests = append(sc.requests, r)
	}
	return sc
}

// draw draws a request about one of four members.
func (s *stage) draw(from int) protocol.Request {
	who := byCard(fmt.Sprintf("400000%d", from+s.r.IntN(4)))
	about := func(call protocol.Call, list []string) (protocol.Request, bool) {
		r := s.till(call)
		if from == 0 || len(list) == 0 { // what is sold in a group is ended in one
			return r, false
		}
		r.Target = list[s.r.IntN(len(list))]
		return r, true
	}
	switch s.r.IntN(9) {
	case 0, 1:
		return s.sale(protocol.CallAuthorize, who, 1000*(1+s.r.Int64N(20)), 1+s.r.Int64N(2000))
	case 2:
		if r, ok := about(protocol.CallConfirm, s.holds); ok {
			return r
		}
	case 3:
		if r, ok := about(protocol.CallVoid, s.holds); ok {
			return r
		}
	case 4:
		if r, ok := about(protocol.CallReturn, s.sales); ok {
			r.ReturnAmount = s.r.Int64N(2) * (1 + s.r.Int64N(500))
			return r
		}
	case 5:
		if len(s.keyed) > 0 && from > 0 {
			r := s.till(protocol.CallReverse)
			r.TargetKey = s.keyed[s.r.IntN(len(s.keyed))].Key
			return r
		}
	case 6:
		if len(s.keyed) > 0 && from > 0 {
			return s.keyed[s.r.IntN(len(s.keyed))] // again
		}
	case 7:
		return s.sale(protocol.CallRedeem, who, 1000*(1+s.r.Int64N(20)), 1+s.r.Int64N(2000))
	}
	return s.sale(protocol.CallAccrue, who, 1000*(1+s.r.Int64N(20)), 0)
}

// learn takes ids from the answers to a group.
func (s *stage) learn(sc scene, all []*protocol.Response) {
	if len(sc.requests) == 1 {
		return
	}
	for i, r := range sc.requests {
		if !all[i].Code.OK() || all[i].Replayed {
			continue
		}
		s.keyed = append(s.keyed, r)
		switch r.Call {
		case protocol.CallAuthorize:
			s.holds = append(s.holds, all[i].ID)
		case protocol.CallAccrue, protocol.CallRedeem:
			s.sales = append(s.sales, all[i].ID)
		}
	}
}

// ended closes the shop and reads all that its store holds.
func (s *stage) ended() map[string]string {
	s.prove(s.t)
	s.shut()
	db, err := pebble.Open("data/ledger", &pebble.Options{FS: s.fs, ReadOnly: true, Logger: mute{}})
	require.NoError(s.t, err)
	it, err := db.NewIter(nil)
	require.NoError(s.t, err)
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	require.NoError(s.t, it.Close())
	require.NoError(s.t, db.Close())
	return all
}

// mute is a log that nobody reads.
type mute struct{}

func (mute) Infof(string, ...any)  {}
func (mute) Errorf(string, ...any) {}
func (mute) Fatalf(f string, args ...any) {
	panic(fmt.Sprintf(f, args...))
}

func (s *stage) secret() []byte {
	f, err := s.fs.Open("data/ledger.key")
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, f.Close()) }()
	info, err := f.Stat()
	require.NoError(s.t, err)
	text := make([]byte, info.Size())
	_, err = f.ReadAt(text, 0)
	require.NoError(s.t, err)
	return text
}

// TestOneTraceGivesTheSameStore plays the same requests at the same times with
// other drains and shards, with little memory and with restarts at other
// places: every key and every byte of the store is the same, and so is every
// answer. Nothing is left out of the comparison: the stores share their secret.
func TestOneTraceGivesTheSameStore(t *testing.T) {
	first := openStage(t, nil, func(*ledger.Options) {})
	secret := first.secret()
	var trace []scene
	var said []string
	for range scenes {
		sc := first.next()
		first.later(sc.wait)
		all := first.together(sc.requests)
		first.learn(sc, all)
		trace = append(trace, sc)
		for _, res := range all {
			require.NotEqual(t, protocol.Internal, res.Code, res.Detail)
			said = append(said, wire(res))
		}
	}
	want := first.ended()
	spaces := map[byte]int{}
	for key := range want {
		spaces[key[0]]++
	}
	for _, space := range []byte("jasdrbiqwgx") {
		require.Positive(t, spaces[space], "keyspace %c is empty", space)
	}
	t.Logf("%d answers, %d keys", len(said), len(want))
	for _, c := range []struct {
		name           string
		shards, drain  int
		hot, restarted int
	}{
		{"one at a time", 1, 1, 100, 0},
		{"four shards", 4, 512, 100, 0},
		{"little memory and a restart every seven scenes", 2, 3, 1, 7},
		{"a restart every other scene", 3, 16, 100, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStage(t, secret, func(o *ledger.Options) {
				o.Shards, o.Drain, o.HotAccounts = c.shards, c.drain, c.hot
				o.MemTableBytes, o.LinkCache = 64<<10, -1
			})
			n := 0
			for i, sc := range trace {
				if c.restarted > 0 && i%c.restarted == c.restarted-1 {
					s.shut()
					s.open()
				}
				s.later(sc.wait)
				for _, res := range s.together(sc.requests) {
					require.Equal(t, said[n], wire(res), "answer %d, scene %d", n, i)
					n++
				}
			}
			got := s.ended()
			var differ []string
			for key, value := range want {
				if got[key] != value {
					differ = append(differ, fmt.Sprintf("%q", key))
				}
			}
			for key := range got {
				if _, ok := want[key]; !ok {
					differ = append(differ, fmt.Sprintf("%q is new", key))
				}
			}
			require.Empty(t, differ)
		})
	}
}
