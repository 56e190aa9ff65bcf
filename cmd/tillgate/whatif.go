package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"

	"tillgate/config"
	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/processor/program"
	"tillgate/processor/whatif"
	"tillgate/protocol"
	"tillgate/reconciler/desk"
)

func init() {
	register(command{"whatif", "replay real receipts under a draft of a programme", replayDraft})
}

const aboutWhatIf = `
Replays the receipts that were booked from --from up to, and not with, --to under
a draft of a programme, and compares: points earned and spent, what discounts
cost, what members own at the end, how many receipts and members are better or
worse off, and each rule's own figures. Without dates it takes all there is.

Nothing is changed. It asks the server that runs on the data directory, which
goes on serving; without one it reads the ledger itself. Dates are whole days
(2026-11-01, in the configured time zone) or moments (2026-11-01T00:00:00+05:00).
FILE may be - for the standard input. What is assumed: docs/whatif.md.
`

// replayCall is what a replay is asked for.
type replayCall struct {
	from, to, merchant string
	json               bool
	loader             *config.Loader
}

func (r *replayCall) bind(fs *pflag.FlagSet) {
	r.loader = config.Bind(fs, "data", "timezone")
	fs.StringVar(&r.from, "from", "", "the first day or moment; all there is without it")
	fs.StringVar(&r.to, "to", "", "the day or moment after the last; now without it")
	fs.StringVar(&r.merchant, "merchant", "", "the merchant, where there are several")
	fs.BoolVar(&r.json, "json", false, "print the report as JSON, as the HTTP API does")
}

// replayDraft is "tillgate whatif --program FILE".
func replayDraft(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "whatif", "--program FILE [--from DATE] [--to DATE] [flags]", aboutWhatIf)
	var r replayCall
	draft := fs.String("program", "", "the draft: a programme document")
	r.bind(fs)
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	if *draft == "" {
		return usagef("--program names the draft")
	}
	return r.run(ctx, c, *draft)
}

// replayFile is "tillgate program whatif FILE".
func replayFile(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "program whatif", "FILE [--from DATE] [--to DATE] [flags]", aboutWhatIf)
	var r replayCall
	r.bind(fs)
	if err := parse(fs, args, 1, 1); err != nil {
		return err
	}
	return r.run(ctx, c, fs.Arg(0))
}

func (r *replayCall) run(ctx context.Context, c *console, file string) error {
	conf, err := r.loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	from, to, err := r.period(conf.Timezone)
	if err != nil {
		return err
	}
	draft, err := readDocument(c, file)
	if err != nil {
		return err
	}
	if _, problems := program.Compile(draft); len(problems) > 0 {
		return refusedDocument(file, problems)
	}
	bar := newReplayBar(c.err)
	report, err := desk.Dial(conf.Data).WhatIf(ctx, r.merchant, draft, from, to, bar.progress)
	if errors.Is(err, desk.ErrNotRunning) {
		report, err = r.stopped(ctx, conf, draft, from, to, bar.progress)
	}
	bar.end()
	if err != nil {
		return err
	}
	if r.json {
		_, err = fmt.Fprintf(c.out, "%s\n", protocol.AppendJSON(nil, &protocol.Response{Call: protocol.CallWhatIf, WhatIf: report}))
		return err
	}
	return printReplay(c.out, report)
}

// period reads the two ends, unix ns; 0 for one that is left out.
func (r *replayCall) period(zone string) (from, to int64, err error) {
	for _, end := range []struct {
		name, text string
		at         *int64
	}{{"--from", r.from, &from}, {"--to", r.to, &to}} {
		if end.text == "" {
			continue
		}
		at, err := parseMoment(end.text, zone)
		if err != nil {
			return 0, 0, usagef("%s: %s", end.name, err)
		}
		*end.at = at.UnixNano()
	}
	if to != 0 && to <= from {
		return 0, 0, usagef("--to must be after --from")
	}
	return from, to, nil
}

// stopped replays the ledger of a server that doesn't run.
func (r *replayCall) stopped(ctx context.Context, conf *config.Config, draft []byte, from, to int64, progress func(done, total int64)) (report *protocol.WhatIf, err error) {
	l, err := openStopped(conf)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return r.local(ctx, conf, l, draft, from, to, progress)
}

func (r *replayCall) local(ctx context.Context, conf *config.Config, l *ledger.Ledger, draft []byte, from, to int64, progress func(done, total int64)) (*protocol.WhatIf, error) {
	o := conf.Processor
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := processor.New(l, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close(ctx) }() // it has served nobody
	service := whatif.New(l, s, whatif.Options{Logger: o.Logger})
	defer service.Close()
	request := &protocol.Request{Call: protocol.CallWhatIf, Document: draft}
	request.Caller.Merchant = r.merchant
	request.From = protocol.Time{Unix: from, Set: from != 0}
	request.To = protocol.Time{Unix: to, Set: to != 0}
	var out protocol.Response
	begin := service.Begin(request, &out)
	if begin == nil {
		return nil, errors.New(out.Detail)
	}
	if err := begin(ctx, progress); err != nil {
		return nil, err
	}
	return out.WhatIf, nil
}

// replayBar shows how far a replay is.
type replayBar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

func newReplayBar(w io.Writer) *replayBar { return &replayBar{w: w} }

// progress moves the bar. A screen that can't be written to stops no replay.
func (b *replayBar) progress(done, total int64) {
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription("replaying"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("records"), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true))
	}
	_ = b.bar.Set64(done)
}

// end leaves the bar's line.
func (b *replayBar) end() {
	if b.bar != nil {
		fmt.Fprintln(b.w)
	}
}

// printReplay prints the report for people.
func printReplay(out io.Writer, w *protocol.WhatIf) error {
	from := "the beginning"
	if w.From != 0 {
		from = time.Unix(0, w.From).Format(time.RFC3339)
	}
	fmt.Fprintf(out, "%s: what was booked from %s up to %s\n\n", w.Program, from, time.Unix(0, w.To).Format(time.RFC3339))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\tas it is\tdraft\tdifference\t\n")
	d := w.Draft.Minus(w.Real)
	for _, row := range []struct {
		name               string
		real, draft, minus int64
	}{
		{"paid in money", w.Real.Payable, w.Draft.Payable, d.Payable},
		{"discounts", w.Real.Discount, w.Draft.Discount, d.Discount},
		{"points earned", w.Real.Earned, w.Draft.Earned, d.Earned},
		{"points given", w.Real.Gifts, w.Draft.Gifts, d.Gifts},
		{"points for referrals", w.Real.Rewards, w.Draft.Rewards, d.Rewards},
		{"points spent", w.Real.Redeemed, w.Draft.Redeemed, d.Redeemed},
		{"  in money", w.Real.RedeemedMoney, w.Draft.RedeemedMoney, d.RedeemedMoney},
		{"points lapsed", w.Real.Expired, w.Draft.Expired, d.Expired},
		{"points owned at the end", w.Real.Liability, w.Draft.Liability, d.Liability},
		{"  in money", w.Real.Worth, w.Draft.Worth, d.Worth},
		{"points owed at the end", w.Real.Owed, w.Draft.Owed, d.Owed},
	} {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", label(row.name), money(row.real), money(row.draft), money(row.minus))
	}
	fmt.Fprint(t, "\t\t\t\t\n\tall\tbetter off\tworse off\t\n")
	for _, row := range []struct {
		name string
		s    protocol.WhatIfShares
	}{{"receipts", w.Receipts}, {"members", w.Members}} {
		s := row.s
		fmt.Fprintf(t, "%s\t%d\t%d (%s %%)\t%d (%s %%)\t\n", label(row.name), s.Total,
			s.Better, protocol.Percent(s.Better, s.Total), s.Worse, protocol.Percent(s.Worse, s.Total))
	}
	printRules(t, w.Rules)
	if err := t.Flush(); err != nil {
		return err
	}
	printDoubts(out, w)
	return nil
}

// label makes a name as wide as its column, which aligns it to the left among
// figures that are aligned to the right.
func label(name string) string { return fmt.Sprintf("%-24s", name) }

func printRules(t io.Writer, rules []protocol.WhatIfRule) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprint(t, "\t\t\t\t\n"+label("rule: points")+"\tas it is\tdraft\tdifference\t\n")
	for _, r := range rules {
		if r.Real.Points != 0 || r.Draft.Points != 0 {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", label(r.Rule), money(r.Real.Points), money(r.Draft.Points), money(r.Draft.Points-r.Real.Points))
		}
	}
	fmt.Fprint(t, "\t\t\t\t\n"+label("rule: money off")+"\tas it is\tdraft\tdifference\t\n")
	for _, r := range rules {
		if r.Real.Discount != 0 || r.Draft.Discount != 0 {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", label(r.Rule), money(r.Real.Discount), money(r.Draft.Discount), money(r.Draft.Discount-r.Real.Discount))
		}
	}
}

// printDoubts prints what the figures leave out.
func printDoubts(out io.Writer, w *protocol.WhatIf) {
	if g := w.Guessed; g != (protocol.WhatIfGuessed{}) {
		fmt.Fprint(out, "\nguessed:\n")
		for _, row := range []struct {
			n    string
			many int64
			what string
		}{
			{fmt.Sprint(g.Forgotten), g.Forgotten, "returns and late confirms of sales too long ago to be remembered"},
			{fmt.Sprint(g.Declined), g.Declined, "receipts that the draft would decline: sold without it"},
			{fmt.Sprint(g.Older), g.Older, "members whose history begins before what is kept of the journal: left out"},
			{money(g.Moved), g.Moved, "points that came from other members, taken as they really came"},
		} {
			if row.many != 0 {
				fmt.Fprintf(out, "  %s %s\n", row.n, row.what)
			}
		}
	}
	if len(w.Unknown) > 0 {
		fmt.Fprint(out, "\nthe draft asks for what the books don't tell:\n")
		for _, p := range w.Unknown {
			fmt.Fprintf(out, "  %s: %s\n", p.Path, p.Message)
		}
	}
}
