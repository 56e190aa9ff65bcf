package processor

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// cardTypes is a programme whose rate is the card's (E6).
const cardTypes = `
program: cards
currency: KZT
timezone: Asia/Almaty
earn:
  rules:
    - {name: base, give: {percent: 3}}
    - {name: gold, when: {card_type: [gold]}, give: {percent: 10}}
    - {name: silver, when: {card_type: [silver]}, give: {percent: 5}}
redeem: {with: [code, card], cap: 50}
`

const twoTemplates = `{"templates":[
	{"id":"gold","pattern":"2200 37## #### ##C","type":"gold","valid":"3y"},
	{"id":"barcode","pattern":"29-##########-C","check":"gs1","type":"silver"}]}`

func (s *shop) batch(template string, count int64) protocol.Request {
	r := s.office(protocol.CallCardBatch, "")
	r.Card.Template, r.Count = template, count
	return r
}

func (s *shop) giveCard(member, number string) protocol.Request {
	r := s.office(protocol.CallAddCard, member)
	r.Card.Number = number
	return r
}

// TestCheckDigits takes numbers whose check digits are known from elsewhere.
func TestCheckDigits(t *testing.T) {
	for number, check := range map[string]string{
		"4111111111111111": "luhn", // the test card of many acquirers
		"79927398713":      "luhn", // the example of the algorithm's article
		"4006381333931":    "gs1",  // the example of an EAN-13
		"73513537":         "gs1",  // of an EAN-8
	} {
		require.True(t, checks(check, number), number)
		wrong := []byte(number)
		wrong[3] = '0' + (wrong[3]-'0'+1)%10
		require.False(t, checks(check, wrong), number)
	}
	// Wherever the check digit stands, one digit fits, and one alone.
	for _, pattern := range []string{"C######", "######C", "12C######", "#####C4#"} {
		for _, check := range []string{"luhn", "gs1"} {
			for v := uint64(0); v < 1000; v += 37 {
				number, fits := fillPattern(pattern, check, v), 0
				for d := byte('0'); d <= '9'; d++ {
					other := []byte(number)
					other[strings.IndexByte(pattern, 'C')] = d
					if checks(check, other) {
						fits++
						require.Equal(t, number, string(other))
					}
				}
				require.Equal(t, 1, fits)
			}
		}
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	s := openShop(t, small)
	for pattern, says := range map[string]string{
		"2200######":              "one C",
		"22C0######C":             "one C",
		"2200#####C":              "6 to 18",
		"######################C": "6 to 18",
		"22X0######C":             "digits",
		"":                        "missing",
		strings.Repeat("#", 18) + "C" + strings.Repeat("1", 14): "4 to 32",
	} {
		res := s.rows(protocol.CallPutTemplates, `{"templates":[{"id":"x","pattern":"`+pattern+`"}]}`)
		require.Equal(t, protocol.InvalidRequest, res.Code, pattern)
		require.Equal(t, "templates[0].pattern", res.Field)
		require.Contains(t, res.Detail, says, pattern)
	}
	for _, valid := range []string{"3", "0d", "12h", "101y", "40000d"} {
		res := s.rows(protocol.CallPutTemplates, `{"templates":[{"id":"x","pattern":"2200######C","valid":"`+valid+`"}]}`)
		require.Equal(t, "templates[0].valid", res.Field, valid)
	}
	require.Equal(t, protocol.NotFound, s.ask(s.batch("x", 1)).Code)
}

func TestABatchOfCards(t *testing.T) {
	s := openShop(t, cardTypes)
	s.rows(protocol.CallPutTemplates, twoTemplates)
	request := s.batch("gold", 500)
	made := s.approved(request)
	require.Equal(t, 201, made.HTTPStatus())
	require.Len(t, made.Numbers, 500)
	require.Equal(t, "new", made.Card.State)
	require.Equal(t, "gold", made.Card.Type)
	seen := map[string]bool{}
	for _, number := range made.Numbers {
		require.Regexp(t, `^220037[0-9]{9}$`, number)
		require.True(t, checks("luhn", number))
		require.False(t, seen[number])
		seen[number] = true
	}
	again := s.approved(request)
	require.True(t, again.Replayed)
	require.Equal(t, wire(made), wire(again), "a repeat is told the same numbers")
	other := s.approved(s.batch("gold", 500))
	for _, number := range other.Numbers {
		require.False(t, seen[number])
	}
	barcodes := s.approved(s.batch("barcode", 3))
	require.Regexp(t, `^29[0-9]{11}$`, barcodes.Numbers[0])
	require.True(t, checks("gs1", barcodes.Numbers[0]))

	// It is nobody's: no till may use it, and it is not active.
	number := made.Numbers[0]
	res := s.ask(s.sale(protocol.CallAccrue, byCard(number), 10000, 0))
	require.Equal(t, protocol.CardNotFound, res.Code)
	require.Contains(t, res.Detail, "nobody's yet")
	patch := s.office(protocol.CallPatchCard, number)
	patch.Card.State = "active"
	require.Equal(t, protocol.InvalidRequest, s.ask(patch).Code)

	// Given to a member it is active, of the template's type and validity.
	m := s.approved(s.member("+77010000001", ""))
	card := s.approved(s.giveCard(m.Member.ID, number[:4]+"-"+number[4:]))
	require.Equal(t, "active", card.Card.State)
	require.Equal(t, "gold", card.Card.Type)
	require.Equal(t, "****"+number[len(number)-4:], card.Card.Number)
	require.Equal(t, time.Date(2029, 11, 21, 0, 0, 0, 0, almaty).UnixNano(), card.Card.Expires)
	require.EqualValues(t, 1000, s.approved(s.sale(protocol.CallAccrue, byCard(number), 10000, 0)).Earned, "a gold card earns a tenth")
	require.Equal(t, protocol.AlreadyExists, s.ask(s.giveCard(m.Member.ID, number)).Code)

	// A carton that is lost is blocked before anybody has a card of it.
	patch = s.office(protocol.CallPatchCard, made.Numbers[1])
	patch.Card.State = "blocked"
	blocked := s.approved(patch)
	require.Equal(t, "blocked", blocked.Card.State)
	require.Empty(t, blocked.Member.ID)
	require.Equal(t, protocol.CardBlocked, s.ask(s.sale(protocol.CallAccrue, byCard(made.Numbers[1]), 100, 0)).Code)
	require.Equal(t, protocol.CardBlocked, s.ask(s.giveCard(m.Member.ID, made.Numbers[1])).Code)
	require.Equal(t, protocol.CardNotFound, s.ask(s.replaceCard(made.Numbers[2], "7000000000009999")).Code)

	s.clock.Store(time.Date(2029, 11, 21, 0, 0, 0, 0, almaty).UnixNano())
	require.Equal(t, protocol.CardExpired, s.ask(s.sale(protocol.CallAccrue, byCard(number), 10000, 0)).Code, "three years are over")
	late := s.sale(protocol.CallAccrue, byCard(number), 10000, 0)
	late.Offline, late.At = true, protocol.Time{Unix: s.clock.Load() - int64(time.Hour), Offset: 5 * 3600, Set: true}
	require.Equal(t, protocol.Approved, s.ask(late).Code, "they were not when this was bought")
	_, err := s.ledger.Verify(func(f ledger.Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
}

func (s *shop) replaceCard(old, number string) protocol.Request {
	r := s.office(protocol.CallReplaceCard, old)
	r.Card.Number = number
	return r
}

// TestPrintedNumbersAreChecked: a number of a template's shape has its check
// digit; other numbers are what they are.
func TestPrintedNumbersAreChecked(t *testing.T) {
	s := openShop(t, cardTypes)
	s.rows(protocol.CallPutTemplates, twoTemplates)
	m := s.approved(s.member("+77010000001", ""))
	good := fillPattern("220037########C", "luhn", 12345678)
	wrong := good[:14] + string('0'+(good[14]-'0'+1)%10)
	res := s.ask(s.giveCard(m.Member.ID, wrong))
	require.Equal(t, protocol.InvalidRequest, res.Code)
	require.Equal(t, "number", res.Field)
	require.NotContains(t, wire(res), wrong)
	require.Equal(t, "gold", s.approved(s.giveCard(m.Member.ID, good)).Card.Type, "printed elsewhere, of the template's shape")
	typed := s.giveCard(m.Member.ID, "770000001")
	typed.Card.Type = "silver"
	require.Equal(t, "silver", s.approved(typed).Card.Type)
	require.EqualValues(t, 500, s.approved(s.sale(protocol.CallAccrue, byCard("770000001"), 10000, 0)).Earned)
	res = s.ask(s.replaceCard("770000001", wrong))
	require.Equal(t, protocol.InvalidRequest, res.Code)
}

func TestAVirtualCard(t *testing.T) {
	s := openShop(t, cardTypes)
	s.rows(protocol.CallPutTemplates, twoTemplates)
	m := s.approved(s.member("+77010000001", ""))
	add := s.office(protocol.CallAddCard, m.Member.ID)
	add.Card.Template = "gold"
	card := s.approved(add)
	require.Regexp(t, `^220037[0-9]{9}$`, card.Card.Number, "the member is told the whole number")
	require.Equal(t, wire(card), wire(s.approved(add)))
	require.EqualValues(t, 1000, s.approved(s.sale(protocol.CallAccrue, byCard(card.Card.Number), 10000, 0)).Earned)

	replace := s.office(protocol.CallReplaceCard, card.Card.Number)
	replace.Card.Template = "barcode"
	next := s.approved(replace)
	require.Regexp(t, `^29[0-9]{11}$`, next.Card.Number)
	require.Equal(t, wire(next), wire(s.approved(replace)))
	require.Equal(t, "gold", next.Card.Type, "a replacement keeps type")
	require.Equal(t, card.Card.Expires, next.Card.Expires, "and validity")
	require.Equal(t, protocol.CardBlocked, s.ask(s.sale(protocol.CallAccrue, byCard(card.Card.Number), 10000, 0)).Code)
	sale := s.approved(s.sale(protocol.CallRedeem, byCard(next.Card.Number), 2000, 1000))
	require.EqualValues(t, 1000, sale.Redeemed, "and the balance")
	require.EqualValues(t, 100, sale.Earned)
	require.Equal(t, protocol.CardBlocked, s.ask(s.replaceCard(card.Card.Number, "7000000000009999")).Code, "replaced once")
}

// TestOneAccountOfSeveralCards is a master account (a family's, a firm's):
// each card buys for the one balance, at its own type's rate and in its own
// state.
func TestOneAccountOfSeveralCards(t *testing.T) {
	s := openShop(t, cardTypes)
	m := s.approved(s.member("+77010000001", ""))
	for number, kind := range map[string]string{"7000000000000001": "gold", "7000000000000002": "silver", "7000000000000003": ""} {
		add := s.giveCard(m.Member.ID, number)
		add.Card.Type = kind
		s.approved(add)
	}
	available := func() int64 { return s.approved(s.office(protocol.CallBalance, m.Member.ID)).Balance.Available }
	want := int64(0)
	for number, earned := range map[string]int64{"7000000000000001": 1000, "7000000000000002": 500, "7000000000000003": 300} {
		sale := s.approved(s.sale(protocol.CallAccrue, byCard(number), 10000, 0))
		require.Equal(t, earned, sale.Earned, number)
		require.Equal(t, m.Member.ID, sale.Member.ID)
		want += earned
		require.Equal(t, want, available())
	}
	sale := s.approved(s.sale(protocol.CallRedeem, byCard("7000000000000002"), 2000, 1000))
	require.EqualValues(t, 1000, sale.Redeemed, "what one has earned another spends")
	require.EqualValues(t, 50, sale.Earned)

	block := s.office(protocol.CallPatchCard, "7000000000000002")
	block.Card.State = "blocked"
	s.approved(block)
	require.Equal(t, protocol.CardBlocked, s.ask(s.sale(protocol.CallAccrue, byCard("7000000000000002"), 10000, 0)).Code)
	s.approved(s.sale(protocol.CallAccrue, byCard("7000000000000001"), 10000, 0))
	block.Card.State = "active"
	s.approved(block)
	s.approved(s.sale(protocol.CallAccrue, byCard("7000000000000002"), 10000, 0))
	block.Card.State = "new"
	require.Equal(t, protocol.InvalidRequest, s.ask(block).Code)

	// Two cards at the same moment change one balance, one after the other.
	before := available()
	var wg sync.WaitGroup
	for i := range 60 {
		r := s.sale(protocol.CallAccrue, byCard("700000000000000"+strconv.Itoa(1+i%3)), 10000, 0)
		wg.Go(func() {
			if res := s.ask(r); !res.Code.OK() {
				t.Error(res.Detail)
			}
		})
	}
	wg.Wait()
	require.Equal(t, before+20*(1000+500+300), available())
	shown := s.approved(s.office(protocol.CallGetMember, m.Member.ID))
	require.Len(t, shown.Member.Cards, 3)
}

func TestAMemberHasSoManyCards(t *testing.T) {
	s := openShop(t, small)
	m := s.approved(s.member("+77010000001", ""))
	for i := range maxCards {
		s.approved(s.giveCard(m.Member.ID, "77"+strconv.Itoa(100000+i)))
	}
	require.Equal(t, protocol.LimitExceededCount, s.ask(s.giveCard(m.Member.ID, "7700000")).Code)
	require.Equal(t, protocol.LimitExceededCount, s.ask(s.replaceCard("77100000", "7700000")).Code)
}

// TestATemplateThatIsUsedUp: numbers are not drawn until the last one is
// found; what is left could be guessed.
func TestATemplateThatIsUsedUp(t *testing.T) {
	s := openShop(t, small)
	task := &Task{s: s.s, errand: errand{x: &protocol.Exchange{}}}
	task.drawn = &drawing{cardDraw: cardDraw{pattern: "22######C", check: "luhn", nonce: "n"}}
	tries := 0
	next, ok := task.draw(0, func(ledger.Key) (bool, error) { tries++; return false, nil })
	require.False(t, ok)
	require.Equal(t, drawsForOne, tries)
	require.Equal(t, drawsForOne, next)
	require.Equal(t, protocol.LimitExceededCount, task.refusal.code)
}

// TestBatchesAndCardsAtTheSameMoment: batches, and members who are given the
// very numbers that are being drawn. A number is made once and is one
// member's.
func TestBatchesAndCardsAtTheSameMoment(t *testing.T) {
	s := openShop(t, small)
	s.rows(protocol.CallPutTemplates, `{"templates":[{"id":"tight","pattern":"77######C"}]}`)
	m := s.approved(s.member("+77010000001", ""))
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		numbers = map[string]int{}
	)
	for range 6 {
		r := s.batch("tight", 3000)
		wg.Go(func() {
			res := s.ask(r)
			if !res.Code.OK() {
				t.Error(res.Detail)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, n := range res.Numbers {
				numbers[n]++
			}
		})
	}
	for i := range 60 {
		number := fillPattern("77######C", "luhn", uint64(i*16661))
		r := s.giveCard(m.Member.ID, number)
		wg.Go(func() {
			if res := s.ask(r); !res.Code.OK() {
				t.Error(res.Detail)
			}
		})
	}
	wg.Wait()
	require.Len(t, numbers, 18_000)
	for n, times := range numbers {
		require.Equal(t, 1, times, n)
	}
	require.Len(t, s.approved(s.office(protocol.CallGetMember, m.Member.ID)).Member.Cards, 60)
	for i := range 60 {
		number := fillPattern("77######C", "luhn", uint64(i*16661))
		link, found, err := s.s.link((&Task{s: s.s, errand: errand{x: &protocol.Exchange{}}}).cardKey(number))
		require.NoError(t, err)
		require.True(t, found)
		require.NotZero(t, link.Account, "a batch takes no card away")
	}
}

func TestCardRecordsOfBefore(t *testing.T) {
	rec, err := decodeCard(append([]byte{ledger.CardBlocked}, "gold"...))
	require.NoError(t, err)
	require.Equal(t, cardRecord{state: ledger.CardBlocked, kind: "gold"}, rec)
	_, err = decodeCard([]byte{0x83, 1})
	require.Error(t, err)
}

// TestTheJournalHoldsNoDrawnNumber: what the records keep is not enough to
// make the numbers of.
func TestTheJournalHoldsNoDrawnNumber(t *testing.T) {
	s := openShop(t, small)
	s.rows(protocol.CallPutTemplates, twoTemplates)
	m := s.approved(s.member("+77010000001", ""))
	numbers := s.approved(s.batch("gold", 100)).Numbers
	add := s.office(protocol.CallAddCard, m.Member.ID)
	add.Card.Template = "gold"
	numbers = append(numbers, s.approved(add).Card.Number)
	s.approved(s.giveCard(m.Member.ID, numbers[0]))
	s.approved(s.replaceCard(numbers[0], numbers[1]))
	for p := range s.ledger.Partitions() {
		require.NoError(t, s.ledger.Journal(p, 1, func(_ ledger.OpID, rec []byte) bool {
			for _, n := range numbers {
				require.NotContains(t, string(rec), n[6:])
			}
			return true
		}))
	}
}
