package rig_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/gateway"
	"tillgate/reconciler/services/servicetest"
)

// private is one thing that only profiles may hold, and where it was said.
type private struct {
	what string
	is   *regexp.Regexp
}

// The people of the test. Their numbers appear nowhere else in it.
var people = []struct{ phone, email, name, card string }{
	{"+77019988771", "dana.karim@example.org", "Dana Karimova", "7701998877110001"},
	{"+77019988772", "timur.k@example.org", "Timur Kassymov", "7701998877220002"},
	{"+77019988773", "leaving@example.org", "Olga Leaver", "7701998877330003"},
}

const macKey = "00112233445566778899aabbccddeeff"

// office asks over HTTP with one key.
type office struct {
	t            *testing.T
	base, secret string
	keys         int
}

func (o *office) do(method, path, kind, body string) (int, string) {
	o.t.Helper()
	req, err := http.NewRequest(method, o.base+path, strings.NewReader(body))
	require.NoError(o.t, err)
	if body != "" {
		req.Header.Set("Content-Type", kind)
	}
	o.keys++
	req.Header.Set("Idempotency-Key", fmt.Sprintf("p-%d", o.keys))
	req.Header.Set("Authorization", "Bearer "+o.secret)
	res, err := http.DefaultClient.Do(req)
	require.NoError(o.t, err)
	defer func() { require.NoError(o.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(o.t, err)
	return res.StatusCode, string(raw)
}

// must is do for what is to succeed; it reads the answer into a map.
func (o *office) must(method, path, body string) map[string]any {
	o.t.Helper()
	status, answer := o.do(method, path, "application/json", body)
	require.Less(o.t, status, 300, "%s %s: %s", method, path, answer)
	var m map[string]any
	if answer != "" {
		require.NoError(o.t, json.Unmarshal([]byte(answer), &m))
	}
	return m
}

// A day's mixed work over both edges, with everything of it that is personal
// or secret known; then everything that the run has written is searched for
// it: the log, metrics, refusals, exports, the ledger's files, Kafka with keys
// and values, PostgreSQL without the table of profiles, which holds them on
// purpose.
func TestPersonalDataStaysInProfiles(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, dsn, broker := servicetest.Dir(t), servicetest.Database(t), servicetest.Kafka(t)
	topic := fmt.Sprintf("personal-%d", time.Now().UnixNano())
	secret, hash := gateway.NewKey()
	conf := filepath.Join(dir, "tillgate.yaml")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
keys: [{name: office, role: admin, merchant: m, hash: "%s"}]
terminals: [{id: T0001, store: S01, merchant: m}, {id: T0002, store: S01, merchant: m, mac: [{number: 1, key: "%s"}]}]
log: {level: debug}
`, hash, macKey), 0o600))
	server := start(ctx, t, dir, "TILLGATE_CONFIG="+conf, "TILLGATE_POSTGRES="+dsn, "TILLGATE_KAFKA_BROKERS="+broker,
		"TILLGATE_KAFKA_TOPIC="+topic, "TILLGATE_KAFKA_PROFILE_TOPIC="+topic+"-profiles", "TILLGATE_LEDGER_WINDOW_AGE=1s")
	o := &office{t: t, base: "http://" + server.HTTP, secret: secret}
	found, refusals := mixedDay(o, server)
	found = append(found, literally("an API key", secret), literally("an API key's random part", secret[3:]), literally("a MAC key", macKey))
	for _, p := range people {
		found = append(found, literally("a phone number", p.phone[1:]), literally("an e-mail address", p.email),
			literally("a name", p.name), literally("a card number", p.card))
	}
	clean := func(where string, text []byte) {
		t.Helper()
		require.NotEmpty(t, text, "%s: nothing to search", where)
		for _, p := range found {
			if at := p.is.FindIndex(text); at != nil {
				from, to := max(0, at[0]-60), min(len(text), at[1]+20)
				t.Errorf("%s holds %s: …%q…", where, p.what, text[from:to])
			}
		}
	}

	everything, profiles := projected(ctx, t, dsn)
	require.Contains(t, profiles, people[0].name, "what is searched for is where it belongs")
	require.NotContains(t, profiles, people[2].name, "who was erased is not there either")
	clean("PostgreSQL", everything)
	values := consumed(ctx, t, broker, topic)
	clean("the topic of the journal", values)
	clean("the topic of the profiles", consumed(ctx, t, broker, topic+"-profiles"))
	_, metrics := o.do("GET", "/metrics", "", "")
	clean("the metrics", []byte(metrics))
	clean("the refusals", []byte(refusals))
	out := filepath.Join(dir, "export.csv")
	raw, err := exec.CommandContext(ctx, server.Binary, "export", "--data", server.Dir, "--config", conf, "--merchant", "m",
		"--from", time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly), "--to", time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly), "--output", out).CombinedOutput()
	require.NoError(t, err, "%s", raw)
	csv, err := os.ReadFile(out)
	require.NoError(t, err)
	clean("an export", csv)
	require.NoError(t, server.Verify(ctx, dsn), "the erasure has left the books intact")
	log, err := os.ReadFile(server.Dir + ".log")
	require.NoError(t, err)
	clean("the log", log)
	require.NoError(t, filepath.WalkDir(server.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if len(raw) > 0 {
			clean("the file "+d.Name(), raw)
		}
		return err
	}))
	require.Contains(t, string(everything), "accrue", "what was searched is what was done")
}

func literally(what, text string) private {
	return private{what, regexp.MustCompile(regexp.QuoteMeta(text))}
}

// mixedDay does a little of everything and returns what is secret of it, and
// the text of all refusals.
func mixedDay(o *office, server *rig.Server) (found []private, refusals string) {
	t := o.t
	t.Helper()
	status, answer := o.do("PUT", "/v1/program", "application/yaml", `
program: personal
currency: KZT
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
promo_codes: [{serial: march, give: {points: 50}}]
`)
	require.Equal(t, 200, status, answer)
	o.must("PUT", "/v1/cashiers", `{"cashiers":[{"id":"C7","name":"`+people[1].name+`"}]}`)
	o.must("PUT", "/v1/stores", `{"stores":[{"id":"S01","timezone":"Asia/Almaty"}]}`)
	coupons := o.must("POST", "/v1/program/coupons", `{"serial":"march","count":3}`)["codes"].([]any)
	for _, c := range coupons {
		found = append(found, literally("a coupon", c.(string)), literally("a coupon", strings.ReplaceAll(c.(string), "-", "")))
	}
	sale := func(member string) string {
		return `{"terminal":"T0001","store":"S01","cashier":"C7","member":{` + member + `},"basket":{"lines":[{"id":"1","sku":"4601","quantity":"1","price":100000,"amount":100000}]}`
	}
	var ids []string
	for _, p := range people {
		m := o.must("POST", "/v1/members", `{"phone":"`+p.phone+`","email":"`+p.email+`","name":"`+p.name+`","birthday":"1990-01-02"}`)
		id := m["id"].(string)
		ids = append(ids, id)
		o.must("POST", "/v1/members/"+id+"/cards", `{"number":"`+p.card+`"}`)
		o.must("POST", "/v1/accruals", sale(`"phone":"`+p.phone+`"`)+`}`)
		o.must("POST", "/v1/accruals", sale(`"email":"`+p.email+`"`)+`,"promo_codes":["`+coupons[0].(string)+`"]}`)
		hold := o.must("POST", "/v1/authorizations", sale(`"card":"`+p.card+`"`)+`,"redeem":{"points":1000}}`)
		o.must("POST", "/v1/authorizations/"+hold["id"].(string)+"/confirm", `{"receipt":{"number":"`+id[:6]+`","shift":"1"}}`)
		code := o.must("POST", "/v1/members/"+id+"/codes", "")["code"].(string)
		found = append(found, private{"a one-time code", regexp.MustCompile(`(^|[^0-9.])` + code + `([^0-9]|$)`)})
		o.must("POST", "/v1/redemptions", sale(`"code":"`+code+`"`)+`,"redeem":{"points":500}}`)
		o.must("POST", "/v1/members/lookup", `{"phone":"`+p.phone+`"}`)
		o.must("PATCH", "/v1/members/"+id, `{"tags":["regular"]}`)
	}
	refused := func(method, path, body string) {
		status, answer := o.do(method, path, "application/json", body)
		require.GreaterOrEqual(t, status, 400, "%s %s", method, path)
		refusals += answer + "\n"
	}
	first := people[0]
	refused("POST", "/v1/members", `{"phone":"`+first.phone+`","name":"`+first.name+`"}`)
	refused("POST", "/v1/members", `{"phone":"`+first.phone+`","nmae":"`+first.name+`"}`)
	refused("POST", "/v1/members", `{"phone":"`+first.phone+first.phone+`"}`)
	refused("POST", "/v1/members", `{"phone":"`+first.phone+`","email":"`+first.email+` `+first.name+`"}`)
	refused("POST", "/v1/accruals", `{"member":{"phone":"`+first.phone+`"},"basket":{"total":"`+first.card+`"}}`)
	refused("GET", "/v1/members/"+first.phone, "")
	refused("GET", "/v1/members?phone="+first.phone, "")
	refused("PATCH", "/v1/cards/"+first.card+"0", `{"state":"blocked"}`)
	refused("POST", "/v1/members/lookup", `{"email":"`+first.email+`x"}`)
	refused("POST", "/v1/authorizations/"+first.card+"/void", "")

	till := rig.NewTill(server.ISO, "T0001")
	defer till.Close()
	for i, p := range people {
		_, _, err := till.Send(rig.Ask{Kind: rig.Accrue, Key: fmt.Sprintf("%06d", 800+i), Member: p.card, Total: 50_000})
		require.NoError(t, err)
	}
	s := &siege{t: t, server: server}
	hold := map[int]string{3: "000000", 4: "000000130000", 7: time.Now().UTC().Format("0102150405"), 11: "000901", 41: "T0001", 42: "S01"}
	say := func(stan, tlv string) string {
		hold[11], hold[48] = stan, tlv
		return s.answer(t, true, frame("0100", hold))
	}
	require.Equal(t, "00", say("000901", "01004PHON02012"+first.phone))
	require.Equal(t, "30", say("000902", "01004PHON02013"+first.phone+"x"))
	require.Equal(t, "14", say("000903", "01004CARD02016"+first.card[:15]+"9"))
	require.Equal(t, "30", say("000904", "01004PHON02999"+first.phone))
	hold[41] = "T0002"
	require.Equal(t, "63", say("000905", "01004PHON02012"+first.phone))

	o.must("POST", "/v1/members/"+ids[0]+"/adjustments", `{"points":100,"reason":"goodwill"}`)
	o.must("DELETE", "/v1/members/"+ids[2], "")
	return found, refusals
}

// projected waits until PostgreSQL has the newest records and profiles, and
// returns every row of every table as text, that of profiles apart.
func projected(ctx context.Context, t *testing.T, dsn string) (all []byte, profiles string) {
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(ctx))) }()
	const arrived = `SELECT EXISTS (SELECT FROM tillgate.operations WHERE kind = 'erase') AND EXISTS (SELECT FROM tillgate.operations WHERE kind = 'adjust')
		AND (SELECT count(*) FROM tillgate.members WHERE profile IS NOT NULL AND profile_as_of >= profile_wanted) = $1`
	for whole := false; !whole; time.Sleep(50 * time.Millisecond) {
		// Before the first records come there are no tables.
		err := conn.QueryRow(ctx, arrived, len(people)-1).Scan(&whole)
		require.NoError(t, ctx.Err(), "PostgreSQL never has all of it: %v", err)
	}
	rows, err := conn.Query(ctx, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, tables, "tillgate.members", "the table that is left out exists")
	var text bytes.Buffer
	for _, table := range tables {
		rows, err := conn.Query(ctx, "SELECT t::text FROM "+table+" t")
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		if table == "tillgate.members" {
			profiles = strings.Join(lines, "\n")
			continue
		}
		fmt.Fprintln(&text, table, strings.Join(lines, "\n"))
	}
	return text.Bytes(), profiles
}

// consumed is every key and value of a topic.
func consumed(ctx context.Context, t *testing.T, broker, topic string) []byte {
	client := &kafka.Client{Addr: kafka.TCP(broker)}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	require.NoError(t, err)
	require.NoError(t, meta.Topics[0].Error)
	var all bytes.Buffer
	for _, p := range meta.Topics[0].Partitions {
		conn, err := kafka.DialLeader(ctx, "tcp", broker, topic, p.ID)
		require.NoError(t, err)
		first, last, err := conn.ReadOffsets()
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		for next := first; next < last; {
			_, err := conn.Seek(next, kafka.SeekAbsolute)
			require.NoError(t, err)
			batch := conn.ReadBatch(1, 8<<20)
			for next < last {
				m, err := batch.ReadMessage()
				if err != nil {
					break // the batch has ended; the next one follows
				}
				next = m.Offset + 1
				all.Write(m.Key)
				all.WriteByte('\n')
				all.Write(m.Value)
			}
			require.NoError(t, batch.Close())
		}
		require.NoError(t, conn.Close())
	}
	return all.Bytes()
}
