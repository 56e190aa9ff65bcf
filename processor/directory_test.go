package processor

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// rows merges a directory's document, as it comes by HTTP.
func (s *shop) rows(call protocol.Call, body string) *protocol.Response {
	s.t.Helper()
	r := s.office(call, "")
	require.Nil(s.t, protocol.DecodeJSON(call, []byte(body), &r))
	return s.ask(r)
}

// page is a page of a directory, as it goes out by HTTP.
func (s *shop) page(call protocol.Call, after string, limit int) string {
	s.t.Helper()
	r := s.office(call, "")
	r.Cursor, r.Limit = after, limit
	return wire(s.approved(r))
}

// receipt is a receipt of lines in the words of JSON.
func (s *shop) receipt(call protocol.Call, who protocol.Identifier, lines string) *protocol.Response {
	s.t.Helper()
	r := s.till(call)
	require.Nil(s.t, protocol.DecodeJSON(call, []byte(`{"member":{"phone":"+77010000001"},"basket":{"lines":[`+lines+`]}}`), &r))
	r.Member = who
	return s.approved(r)
}

const goods = `
program: goods
currency: KZT
timezone: Asia/Almaty
earn:
  stack: sum
  rules:
    - {name: pastry, goods: {category: [pastry]}, give: {percent: 10}}
    - {name: brand, goods: {brand: [Acme]}, give: {percent: 1}}
    - {name: supplier, goods: {supplier: [Farm]}, give: {percent: 2}}
    - {name: tag, goods: {tag: [fresh]}, give: {percent: 4}}
    - {name: dear, goods: {price: {from: 500}}, give: {percent: 20}}
`

func TestRulesAskTheProductDirectory(t *testing.T) {
	s := openShop(t, goods)
	res := s.rows(protocol.CallPutProducts, `{"products":[
		{"sku":"1","name":"Bun","category":"pastry","brand":"Acme","supplier":"Farm","tags":["fresh","warm"],"price":60000},
		{"sku":"2","category":"tea"}]}`)
	require.Equal(t, int64(2), res.Count)
	earned := func(line string) int64 { return s.receipt(protocol.CallQuote, byPhone("+77010000001"), line).Earned }

	require.EqualValues(t, 1700, earned(`{"id":"1","sku":"1","quantity":"1","price":10000,"amount":10000}`), "10 + 1 + 2 + 4 %")
	require.Zero(t, earned(`{"id":"1","sku":"2","quantity":"1","price":10000,"amount":10000}`))
	require.Zero(t, earned(`{"id":"1","sku":"3","quantity":"1","price":10000,"amount":10000}`), "unknown to the directory")
	require.Zero(t, earned(`{"id":"1","quantity":"1","price":10000,"amount":10000}`))

	// What a line says itself wins, field by field.
	require.EqualValues(t, 700, earned(`{"id":"1","sku":"1","category":"tea","quantity":"1","price":10000,"amount":10000}`))
	require.EqualValues(t, 1600, earned(`{"id":"1","sku":"1","brand":"Other","quantity":"1","price":10000,"amount":10000}`))
	require.EqualValues(t, 1300, earned(`{"id":"1","sku":"1","tags":["old"],"quantity":"1","price":10000,"amount":10000}`))
	require.EqualValues(t, 1700, earned(`{"id":"1","sku":"1","tags":[],"quantity":"1","price":10000,"amount":10000}`), "an empty list says nothing")

	// The list price counts where the line has none of its own.
	require.EqualValues(t, 1110, earned(`{"id":"1","sku":"1","quantity":"1","amount":3000}`), "37 %, though little was paid")
	require.EqualValues(t, 510, earned(`{"id":"1","sku":"1","quantity":"1","price":3000,"amount":3000}`), "17 %")
	require.EqualValues(t, 10000, earned(`{"id":"1","sku":"2","quantity":"2","amount":100000}`)/2, "no list price: what a piece has cost, 500")
	require.Zero(t, earned(`{"id":"1","sku":"2","quantity":"3","amount":100000}`))

	// A line without a price is sold and comes back like any other, also where
	// the list price has fallen behind what was paid.
	sale := s.receipt(protocol.CallAccrue, byPhone("+77010000001"), `{"id":"1","sku":"1","quantity":"2","amount":200000},{"id":"2","quantity":"1","amount":10000}`)
	require.EqualValues(t, 74000, sale.Earned)
	require.EqualValues(t, 210000, sale.Total)
	back := s.till(protocol.CallReturn)
	back.Target, back.ReturnLines = sale.ID, []protocol.ReturnLine{{ID: "1", Quantity: 1000}}
	half := s.approved(back)
	require.EqualValues(t, 100000, half.Payable)
	require.EqualValues(t, 37000, half.Earned)
}

func TestDirectoriesMerge(t *testing.T) {
	s := openShop(t, small)
	s.rows(protocol.CallPutProducts, `{"products":[{"sku":"1","name":"Bun","category":"pastry","tags":["a"],"price":0},{"sku":"2"},{"sku":"3","brand":"b"}]}`)
	s.rows(protocol.CallPutProducts, `{"products":[{"sku":"1","brand":"Acme"},{"sku":"3","deleted":true},{"sku":"nobody","deleted":true}]}`)
	require.Equal(t, `{"products":[{"sku":"1","name":"Bun","category":"pastry","brand":"Acme","tags":["a"],"price":0},{"sku":"2"}],"next":null}`,
		s.page(protocol.CallListProducts, "", 0))
	require.Equal(t, &productRow{Category: "pastry", Brand: "Acme", Tags: []string{"a"}}, s.s.directories.of("").products["1"])
	require.Nil(t, s.s.directories.of("").products["3"])
	s.rows(protocol.CallPutProducts, `{"products":[{"sku":"1","name":null,"category":null,"tags":null,"price":null}]}`)
	require.Equal(t, `{"products":[{"sku":"1","brand":"Acme"}],"next":"1"}`, s.page(protocol.CallListProducts, "", 1))
	require.Equal(t, `{"products":[{"sku":"2"}],"next":null}`, s.page(protocol.CallListProducts, "1", 1))

	s.rows(protocol.CallPutStores, `{"stores":[{"id":"S1","timezone":"Europe/Moscow","group":"north"},{"id":"S2"}]}`)
	s.rows(protocol.CallPutStores, `{"stores":[{"id":"S1","group":null,"partner":"p"},{"id":"S2","deleted":true}]}`)
	require.Equal(t, `{"stores":[{"id":"S1","timezone":"Europe/Moscow","partner":"p"}],"next":null}`, s.page(protocol.CallListStores, "", 0))

	s.rows(protocol.CallPutCashiers, `{"cashiers":[{"id":"C1","name":"Dana","store":"S1","card":"7000000000001234"},{"id":"C2","name":"Timur"}]}`)
	s.rows(protocol.CallPutCashiers, `{"cashiers":[{"id":"C1","store":"S2"},{"id":"C2","deleted":true}]}`)
	require.Equal(t, `{"cashiers":[{"id":"C1","name":"Dana","store":"S2","card":"****1234"}],"next":null}`, s.page(protocol.CallListCashiers, "", 0))
	key, _ := s.s.identifierKey("", protocol.ByCard, "7000000000001234")
	require.True(t, s.s.directories.of("").ownCard("C1", key))
	require.False(t, s.s.directories.of("").ownCard("C2", key))
	require.False(t, s.s.directories.of("").ownCard("C1", ledger.Key{}))
}

// TestARefusedRowRefusesTheCall: nothing of it is seen or stored.
func TestARefusedRowRefusesTheCall(t *testing.T) {
	s := openShop(t, small)
	for call, c := range map[protocol.Call]struct{ body, field string }{
		protocol.CallPutProducts:  {`{"products":[{"sku":"1"},{"sku":"2","price":-1}]}`, "products[1].price"},
		protocol.CallPutStores:    {`{"stores":[{"id":"1"},{"id":"1"}]}`, "stores[1].id"},
		protocol.CallPutTemplates: {`{"templates":[{"id":"1","pattern":"22########C"},{"id":"2","pattern":"22########"}]}`, "templates[1].pattern"},
	} {
		res := s.rows(call, c.body)
		require.Contains(t, []protocol.Code{protocol.InvalidRequest, protocol.InvalidAmount}, res.Code)
		require.Equal(t, c.field, res.Field)
	}
	require.Equal(t, `{"products":[],"next":null}`, s.page(protocol.CallListProducts, "", 0))
	require.Equal(t, `{"stores":[],"next":null}`, s.page(protocol.CallListStores, "", 0))
	require.Equal(t, `{"templates":[],"next":null}`, s.page(protocol.CallListTemplates, "", 0))
	most := maxRows[dirStores]
	defer func() { maxRows[dirStores] = most }()
	maxRows[dirStores] = 2
	require.Equal(t, protocol.LimitExceededCount, s.rows(protocol.CallPutStores, `{"stores":[{"id":"1"},{"id":"2"},{"id":"3"}]}`).Code)
}

// again closes the shop and opens it on the same disk.
func (s *shop) again() {
	s.t.Helper()
	s.shut()
	s.open()
}

func TestDirectoriesAreThereAfterARestart(t *testing.T) {
	s := openShop(t, "")
	for merchant, tag := range map[string]string{"": "plain", "north": "cold"} {
		for call, body := range map[protocol.Call]string{
			protocol.CallPutProducts:  `{"products":[{"sku":"1","tags":["` + tag + `"],"price":7}]}`,
			protocol.CallPutStores:    `{"stores":[{"id":"S1","timezone":"Asia/Almaty","group":"` + tag + `"}]}`,
			protocol.CallPutCashiers:  `{"cashiers":[{"id":"C1","name":"Dana","card":"7000000000001234"}]}`,
			protocol.CallPutTemplates: `{"templates":[{"id":"gold","pattern":"22########C","type":"` + tag + `","valid":"3y"}]}`,
		} {
			r := s.office(call, "")
			require.Nil(t, protocol.DecodeJSON(call, []byte(body), &r))
			r.Caller.Merchant = merchant
			s.approved(r)
		}
	}
	before := *s.s.directories.byName.Load()
	s.again()
	require.Equal(t, before, *s.s.directories.byName.Load(), "also of a merchant that has published no programme yet")
	require.Equal(t, []string{"cold"}, s.s.directories.of("north").products["1"].Tags)
	require.Equal(t, "cold", s.s.directories.of("north").templates["gold"].Type)
}

// Rows of before version 1 were JSON, and cashiers lay in the open.
func TestOldRowsAreRead(t *testing.T) {
	s := openShop(t, "")
	old := func(kind byte, id string, row any) {
		b, err := json.Marshal(row)
		require.NoError(t, err)
		require.NoError(t, s.ledger.PutDirectory("", kind, "", ledger.DirectoryRow{ID: id, Data: b}))
	}
	old(dirStores, "S1", map[string]any{"ID": "S1", "Timezone": "Asia/Almaty", "Group": "g", "Partner": "p"})
	old(dirProducts, "1", map[string]any{"SKU": "1", "Name": "Bun", "Category": "c", "Brand": "", "Supplier": "", "Tags": []string{"a"}})
	old(dirCashiers, "C1", map[string]any{"ID": "C1", "Name": "Dana", "Store": "S1", "Card": "7000000000001234"})
	s.again()
	require.Equal(t, "p", s.s.directories.of("").stores["S1"].Partner)
	require.Equal(t, &productRow{Category: "c", Tags: []string{"a"}}, s.s.directories.of("").products["1"])
	require.Contains(t, s.page(protocol.CallListProducts, "", 0), `"name":"Bun"`)
	require.Contains(t, s.page(protocol.CallListCashiers, "", 0), `{"id":"C1","name":"Dana","store":"S1","card":"****1234"}`)
	row, err := s.ledger.DirectoryRow(dirCashiers, "", "C1")
	require.NoError(t, err)
	require.Nil(t, row, "it lies encrypted now")
}

func TestCashiersAreEncryptedOnDisk(t *testing.T) {
	s := openShop(t, small)
	s.rows(protocol.CallPutCashiers, `{"cashiers":[{"id":"C1","name":"Dana Ospanova","card":"7000000000001234"}]}`)
	s.shut()
	files := 0
	var walk func(dir string)
	walk = func(dir string) {
		list, err := s.fs.List(dir)
		require.NoError(t, err)
		for _, name := range list {
			path := s.fs.PathJoin(dir, name)
			info, err := s.fs.Stat(path)
			require.NoError(t, err)
			if info.IsDir() {
				walk(path)
				continue
			}
			f, err := s.fs.Open(path)
			require.NoError(t, err)
			b, err := io.ReadAll(f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			for _, secret := range []string{"Dana", "Ospanova", "7000000000001234"} {
				require.NotContains(t, string(b), secret, path)
			}
			files++
		}
	}
	walk("data")
	require.Greater(t, files, 3)
	s.open()
}

// TestProductsCostNoAllocation: a known sku is one look-up and an unknown one
// too. The tags that a line is lent go back before the edge uses its memory
// again, or the next request's would be written into the directory.
func TestProductsCostNoAllocation(t *testing.T) {
	s := openShop(t, small)
	s.rows(protocol.CallPutProducts, `{"products":[{"sku":"1","category":"c","tags":["a","b"],"price":5}]}`)
	task := &Task{s: s.s, errand: errand{x: &protocol.Exchange{}}}
	line := protocol.Line{ID: "1", SKU: "1", Quantity: 1000, Unpriced: true}
	for i := range 10 {
		l := line
		l.SKU = strconv.Itoa(i)
		task.x.Request.Lines = append(task.x.Request.Lines, l)
	}
	fill := func() {
		for i := range task.x.Request.Lines {
			l := &task.x.Request.Lines[i]
			l.Category, l.Price = "", 0
		}
		task.products()
		task.takeTagsBack()
	}
	require.Zero(t, testing.AllocsPerRun(100, fill))

	own := make([]string, 0, 4)
	task.x.Request.Lines[1].Tags = own
	task.products()
	require.Equal(t, []string{"a", "b"}, task.x.Request.Lines[1].Tags)
	task.takeTagsBack()
	tags := append(task.x.Request.Lines[1].Tags, "x", "y", "z")
	require.Same(t, &own[:1][0], &tags[0], "the line has its own room again")
	require.Equal(t, []string{"a", "b"}, s.s.directories.of("").products["1"].Tags)
}

// TestTillsSeeADirectoryAllAtOnce: while a thousand products change again and
// again, a receipt of two of them never finds one of before and one of after.
func TestTillsSeeADirectoryAllAtOnce(t *testing.T) {
	s := openShop(t, goods)
	body := func(category string) string {
		rows := ""
		for i := range 2500 {
			rows += fmt.Sprintf(`,{"sku":"%d","category":"%s"}`, i, category)
		}
		return `{"products":[` + rows[1:] + `]}`
	}
	pastry, tea := body("pastry"), body("tea")
	s.rows(protocol.CallPutProducts, tea)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			r := protocol.Request{Call: protocol.CallPutProducts, Caller: protocol.Caller{Key: "office", Role: protocol.RoleAdmin}}
			text := pastry
			if i%2 == 1 {
				text = tea
			}
			if bad := protocol.DecodeJSON(r.Call, []byte(text), &r); bad != nil {
				t.Error(bad)
				return
			}
			if res := s.ask(r); !res.Code.OK() {
				t.Error(res.Detail)
				return
			}
		}
	}()
	const lines = `{"id":"1","sku":"1","quantity":"1","price":10000,"amount":10000},{"id":"2","sku":"2499","quantity":"1","price":10000,"amount":10000}`
	seen := map[int64]int{}
	for {
		seen[s.receipt(protocol.CallQuote, byPhone("+77010000001"), lines).Earned]++
		select {
		case <-done:
			require.Empty(t, seen[1000], "%v", seen)
			require.Equal(t, len(seen), min(len(seen), 2), "%v", seen)
			return
		default:
		}
	}
}

func FuzzDirectoryRows(f *testing.F) {
	f.Add(encodeProduct(&protocol.ProductEntry{Name: "n", Category: "c", Tags: []string{"a", "b"}, Price: 7, HasPrice: true}))
	f.Add(encodeStore(&protocol.StoreEntry{Timezone: "Asia/Almaty", Group: "g"}))
	f.Add(encodeCashier(&protocol.CashierEntry{Name: "Dana", Card: "7000000000001234"}))
	f.Add(encodeTemplate(&protocol.CardTemplate{Pattern: "22########C", Check: "luhn", Valid: "3y"}))
	f.Add([]byte(`{"SKU":"1"}`))
	f.Add((&cardRecord{state: ledger.CardNew, kind: "gold", draw: cardDraw{template: "t", pattern: "22######C", nonce: "n", count: 3, skipped: []int{1}}}).append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		row := ledger.DirectoryRow{ID: "1", Data: data}
		if e, err := decodeProduct(row); err == nil && data[0] == rowVersion {
			again, err := decodeProduct(ledger.DirectoryRow{ID: "1", Data: encodeProduct(&e)})
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
		if e, err := decodeStore(row); err == nil && data[0] == rowVersion {
			again, err := decodeStore(ledger.DirectoryRow{ID: "1", Data: encodeStore(&e)})
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
		if e, err := decodeCashier(row); err == nil && data[0] == rowVersion {
			again, err := decodeCashier(ledger.DirectoryRow{ID: "1", Data: encodeCashier(&e)})
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
		if c, err := decodeCard(data); err == nil && len(data) > 0 && data[0] == cardRecordVersion {
			again, err := decodeCard(c.append(nil))
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
	})
}

const manyProducts = 100_000

// manyProductsBody is a document of them, some 155 bytes each.
func manyProductsBody() []byte {
	body := []byte(`{"products":[`)
	for i := range manyProducts {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"sku":"%013d","name":"Product number %d","category":"category %d","brand":"brand %d","supplier":"supplier %d","tags":["tag %d"],"price":%d}`,
			4600000000000+i, i, i%300, i%700, i%150, i%20, 100+i)
	}
	return append(body, "]}"...)
}

// BenchmarkTillsWhileProductsLoad asks for quotes one after the other, alone
// and while another goroutine loads a hundred thousand products again and
// again, and tells the median and the 99th percentile.
func BenchmarkTillsWhileProductsLoad(b *testing.B) {
	body := manyProductsBody()
	for _, loading := range []bool{false, true} {
		name := "alone"
		if loading {
			name = "loading"
		}
		b.Run(name, func(b *testing.B) {
			s := openShop(b, goods)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for loading {
					select {
					case <-stop:
						return
					default:
					}
					r := protocol.Request{Call: protocol.CallPutProducts, Caller: protocol.Caller{Role: protocol.RoleAny}}
					if bad := protocol.DecodeOwned(r.Call, append([]byte(nil), body...), &r); bad != nil || !s.ask(r).Code.OK() {
						b.Error("a load failed")
						return
					}
				}
			}()
			took := make([]time.Duration, 0, b.N)
			for range b.N {
				began := time.Now()
				s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10000, 0))
				took = append(took, time.Since(began))
				time.Sleep(200 * time.Microsecond)
			}
			close(stop)
			<-stopped
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}

// BenchmarkLoadProducts loads a hundred thousand products as one call does,
// from the body to the moment when decisions see them: ns and bytes of memory
// a row. The disk is in memory: a real one adds its syncs, one for each
// thousand rows.
func BenchmarkLoadProducts(b *testing.B) {
	const rows = manyProducts
	body := manyProductsBody()
	for _, again := range []bool{false, true} {
		name := "new"
		if again {
			name = "known"
		}
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := &shop{t: b, fs: vfs.NewMem()}
				s.clock.Store(morning.UnixNano())
				s.open()
				load := func() {
					r := protocol.Request{Call: protocol.CallPutProducts, Caller: protocol.Caller{Role: protocol.RoleAny}}
					if bad := protocol.DecodeOwned(r.Call, append([]byte(nil), body...), &r); bad != nil {
						b.Fatal(bad)
					}
					s.approved(r)
				}
				if again {
					load()
				}
				b.StartTimer()
				began := time.Now()
				load()
				b.ReportMetric(float64(time.Since(began).Nanoseconds())/rows, "ns/row")
				b.StopTimer()
				if !again {
					b.ReportMetric(float64(directoryBytes(s))/rows, "B/row")
				}
				s.shut()
				b.StartTimer()
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// directoryBytes is what the directory takes in memory: what is freed when it
// is let go.
func directoryBytes(s *shop) int64 {
	with := heap()
	s.s.directories.byName.Store(&map[string]*directory{})
	return int64(with) - int64(heap())
}
