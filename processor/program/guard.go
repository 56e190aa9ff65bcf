package program

import (
	"math"

	"tillgate/protocol"
)

// The guard watches for what is unusual (§8 of the list of requirements): so
// many purchases, so much money or so many points in a day or an hour.
//
// Counters per member and card live in the member's account, so that a limit
// can decline with the account in hand. Those per cashier, terminal and store
// are shared by all accounts: Evaluate names what is to be counted
// ([Decision.Watches]), and the processor compares it with the total.

// watched is what a guard rule counts.
type watched uint8

const (
	watchOperations watched = iota // purchases
	watchSum                       // money paid
	watchRedeemed                  // points spent
	watchMembers                   // different members at a terminal
	watchReturns                   // returns of receipts that are not known
	watchOwnCard                   // uses of the cashier's own card
)

// Subject is for whom a guard rule counts.
type Subject uint8

const (
	PerMember Subject = iota
	PerCard
	PerTerminal
	PerCashier
	PerStore
)

// subjects are the subjects as the document writes them.
var subjects = [...]string{PerMember: "member", PerCard: "card", PerTerminal: "terminal", PerCashier: "cashier", PerStore: "store"}

// String is the subject as the document writes it.
func (s Subject) String() string { return subjects[s] }

// What follows when a limit is passed.
const (
	thenFlag = iota
	thenDecline
	thenBlock
)

type guardRule struct {
	name  string
	key   uint64
	what  watched
	per   Subject
	limit int64 // the most that is normal: a number, minor units of money, or points
	hour  bool  // else a day
	then  int
}

type guard struct {
	rules []guardRule
	needs GuardNeeds
}

// GuardNeeds is what a programme's guard asks of whoever fills [Facts]; it may
// leave out the rest.
type GuardNeeds struct {
	Card    bool // Facts.Card
	OwnCard bool // Facts.OwnCard
	Returns bool // returns of unknown receipts are counted
}

// GuardNeeds is what the programme's guard asks for.
func (p *Program) GuardNeeds() GuardNeeds { return p.guard.needs }

// Watch is a shared counter that a decision adds to, and the most it may stand
// at without a flag.
type Watch struct {
	Count int    // its place in Decision.Counts
	Rule  string // the flag's name
	Limit int64
	// Block says that Subject, a terminal or a cashier, is to be refused until
	// Until, unix ns, once the limit is passed.
	Block   bool
	Subject Subject
	Until   int64
}

// span is the day or hour that a rule counts in: its number, its end and the
// last UTC day on which it matters.
type span struct {
	bucket, until int32
	end           int64 // unix ns
}

// span is the day or hour of now, local.
func (j *judge) span(hour bool) span {
	s := &j.spans[0]
	if hour {
		s = &j.spans[1]
	}
	if s.end != 0 {
		return *s
	}
	m := j.days.moment(j.now)
	s.bucket, s.end = m.day, j.days.start(m.day+1)
	if hour {
		const minute = 60 * second
		s.bucket = m.day*24 + m.minute/60
		s.end = j.now - floorMod(j.now, minute) + int64(60-m.minute%60)*minute
	}
	s.until = int32(floorDiv(s.end-1, daySeconds*second))
	return *s
}

// guarded counts the purchase and compares counters in the account with their
// limits. It reports whether the purchase may go on.
func (j *judge) guarded() bool {
	rules := j.p.guard.rules
	if len(rules) == 0 || j.f.NoEarn {
		return true
	}
	refused := protocol.Approved
	for i := range rules {
		r := &rules[i]
		n := j.amountOf(r)
		if n == 0 {
			continue
		}
		if r.per > PerCard {
			j.watch(r, n)
			continue
		}
		if !j.f.Present || r.per == PerCard && j.f.Card == 0 {
			continue
		}
		s := j.span(r.hour)
		key := r.key
		if r.per == PerCard {
			key = mixNumber(key, j.f.Card)
		}
		j.d.Counts = append(j.d.Counts, CountChange{Count: Count{Key: key, Bucket: s.bucket, Value: n, Until: s.until}})
		if n <= r.limit-j.f.counted(key, s.bucket) {
			continue
		}
		j.d.Flags = append(j.d.Flags, r.name)
		if r.then == thenDecline && !j.afterwards() && refused == protocol.Approved {
			refused, j.d.Field = r.code(), r.field()
		}
	}
	if refused == protocol.Approved {
		return true
	}
	j.d.Redeemed, j.d.RedeemedMoney = 0, 0
	j.d.Counts, j.d.Watches = j.d.Counts[:0], j.d.Watches[:0]
	return j.refuse(refused, "a limit of the programme's guard is reached")
}

// afterwards reports a message that tells of what has happened: it is flagged
// and never declined.
func (j *judge) afterwards() bool { return j.r.Offline || j.r.ISO.Advice }

// amountOf is what the purchase adds to a rule's counter.
func (j *judge) amountOf(r *guardRule) int64 {
	switch r.what {
	case watchSum:
		return j.d.Total - j.d.Discount - j.d.RedeemedMoney
	case watchRedeemed:
		return j.d.Redeemed
	case watchReturns:
		return 0
	case watchOwnCard:
		if !j.f.OwnCard {
			return 0
		}
	case watchMembers:
		if !j.f.Present {
			return 0
		}
	}
	return 1
}

// code is the decline of a rule whose limit is passed.
func (r *guardRule) code() protocol.Code {
	if r.what == watchSum || r.what == watchRedeemed {
		return protocol.LimitExceededAmount
	}
	return protocol.LimitExceededCount
}

// field is what of the request passes the limit.
func (r *guardRule) field() string {
	if r.what == watchRedeemed {
		return redeemPoints
	}
	return ""
}

// watch counts for a terminal, cashier or store. Different members at a
// terminal are told apart by the same counter in the member's account: only
// the first time counts.
func (j *judge) watch(r *guardRule, n int64) {
	ch, s, ok := j.shared(r, n)
	if !ok || r.what == watchMembers && j.f.counted(ch.Key, ch.Bucket) > 0 {
		return
	}
	j.d.Watches = append(j.d.Watches, Watch{
		Count: len(j.d.Counts), Rule: r.name, Limit: r.limit,
		Block: r.then == thenBlock, Subject: r.per, Until: s.end,
	})
	j.d.Counts = append(j.d.Counts, ch)
}

// shared is the change of a counter per terminal, cashier or store; false if
// the request names none. The counter is the merchant's own, and one for each
// day or hour.
func (j *judge) shared(r *guardRule, n int64) (CountChange, span, bool) {
	who := j.r.Terminal
	switch r.per {
	case PerCashier:
		who = j.r.Cashier
	case PerStore:
		who = j.r.Store
	}
	if who == "" {
		return CountChange{}, span{}, false
	}
	s := j.span(r.hour)
	key := mixNumber(mix(mix(r.key, j.r.Caller.Merchant), who), uint64(s.bucket))
	return CountChange{Count: Count{Key: key, Bucket: s.bucket, Value: n, Until: s.until}, Shared: true}, s, true
}

// allowance is how many points may still be spent before a limit declines.
func (j *judge) allowance() int64 {
	left := int64(math.MaxInt64)
	if j.afterwards() {
		return left
	}
	for i := range j.p.guard.rules {
		r := &j.p.guard.rules[i]
		if r.what != watchRedeemed || r.then != thenDecline || r.per == PerCard && j.f.Card == 0 {
			continue
		}
		key := r.key
		if r.per == PerCard {
			key = mixNumber(key, j.f.Card)
		}
		left = min(left, max(r.limit-j.f.counted(key, j.span(r.hour).bucket), 0))
	}
	return left
}

// UnknownReturn is what the guard says to a return of a receipt that is not
// known: the shared counters that it adds to, in d. now is the server's time,
// unix ns.
func UnknownReturn(p *Program, f *Facts, r *protocol.Request, now int64, d *Decision) {
	d.Reset()
	if !p.guard.needs.Returns {
		return
	}
	j := &d.scratch.judge
	j.p, j.f, j.r, j.d, j.now = p, f, r, d, clampMoment(now)
	j.days.in(p.inZone(f.Zone))
	j.spans = [2]span{}
	defer j.end()
	for i := range p.guard.rules {
		if rule := &p.guard.rules[i]; rule.what == watchReturns {
			j.watch(rule, 1)
		}
	}
}
