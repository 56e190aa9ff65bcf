package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"tillgate/processor/program"
	"tillgate/protocol"
)

func init() {
	register(command{"program", "check, compare and publish programme documents", programCommand})
}

const aboutProgram = `
check FILE     reads a programme document and says everything that is wrong with
               it, each fault with the path of its key. No server is needed.
publish FILE   checks the document and puts it into force on a running server.
versions       lists the published versions: number, dates, by whom, what.
diff A B       tells what two documents differ in. Each is a FILE, or the number
               of a version that a running server has published.
restore N      publishes the document of an older version again, as a new one
               that is in force at once.
schema         prints the JSON Schema of the document, for editors.
whatif FILE    replays the receipts of a data directory under a draft; it has
               flags of its own: tillgate program whatif --help

FILE may be - for the standard input. With keys configured, TILLGATE_API_KEY
holds the secret of a marketing or admin key.
`

// programCall is what a programme command works with.
type programCall struct {
	console *console
	office  adminCalls
	match   string
}

// programActions are the actions and how many arguments each takes after its
// name.
var programActions = map[string]struct {
	args int
	run  func(context.Context, *programCall, []string) error
}{
	"check":    {1, checkDocument},
	"publish":  {1, publishDocument},
	"versions": {0, listVersions},
	"diff":     {2, diffDocuments},
	"restore":  {1, restoreVersion},
	"schema":   {0, printSchema},
}

// programCommand does something with programme documents.
func programCommand(ctx context.Context, c *console, args []string) error {
	if len(args) > 0 && args[0] == "whatif" {
		return replayFile(ctx, c, args[1:])
	}
	fs := newFlags(c, "program", "check|publish|versions|diff|restore|schema|whatif [FILE|VERSION]... [flags]", aboutProgram)
	server := fs.String("http", envOr("TILLGATE_HTTP", "127.0.0.1:8080"), "address of the server's HTTP listener")
	match := fs.String("if-match", "", "change only this version (the ETag of GET /v1/program)")
	if err := parse(fs, args, 1, 3); err != nil {
		return err
	}
	action, ok := programActions[fs.Arg(0)]
	switch rest := fs.Args()[1:]; {
	case !ok:
		return usagef("there is no %q; there are check, publish, versions, diff, restore, schema and whatif", fs.Arg(0))
	case len(rest) < action.args:
		return usagef("an argument is missing")
	case len(rest) > action.args:
		return usagef("%q is one argument too many", rest[action.args])
	default:
		return action.run(ctx, &programCall{c, adminCalls{*server}, *match}, rest)
	}
}

func checkDocument(_ context.Context, p *programCall, args []string) error {
	if _, err := p.document(args[0]); err != nil {
		return err
	}
	fmt.Fprintf(p.console.out, "%s can be published\n", args[0])
	return nil
}

// document reads a document that can be published.
func (p *programCall) document(name string) ([]byte, error) {
	doc, err := readDocument(p.console, name)
	if err != nil {
		return nil, err
	}
	if _, problems := program.Compile(doc); len(problems) > 0 {
		return nil, refusedDocument(name, problems)
	}
	return doc, nil
}

// readDocument reads a file, or the standard input for "-".
func readDocument(c *console, name string) ([]byte, error) {
	var source io.Reader = c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		source = f
	}
	doc, err := io.ReadAll(io.LimitReader(source, protocol.MaxBody+1))
	if err != nil {
		return nil, err
	}
	if len(doc) > protocol.MaxBody {
		return nil, fmt.Errorf("a programme document has at most %d bytes", protocol.MaxBody)
	}
	return doc, nil
}

// refusedDocument lists what is wrong, a line each.
func refusedDocument(name string, problems []protocol.Problem) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is refused:", name)
	for _, p := range problems {
		b.WriteString("\n  ")
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Message)
	}
	return errors.New(b.String())
}

// publishDocument puts a document into force.
func publishDocument(ctx context.Context, p *programCall, args []string) error {
	doc, err := p.document(args[0])
	if err != nil {
		return err
	}
	header, _, err := p.office.ask(ctx, http.MethodPut, "/v1/program", doc, "Content-Type", "application/yaml", "If-Match", p.match)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.console.out, "in force as %s\n", header.Get("ETag"))
	return nil
}

// adminCalls asks a running server as an office does. It holds the address of its
// HTTP listener.
type adminCalls struct{ server string }

// maxAnswer bounds an answer that is read: a document, or a list of some
// thousand versions.
const maxAnswer = 4 << 20

// ask makes one request. Header values that are empty are left out.
func (o adminCalls) ask(ctx context.Context, method, path string, body []byte, header ...string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+o.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, usagef("--http: %q is no address; one looks like 127.0.0.1:8080", o.server)
	}
	if key := os.Getenv("TILLGATE_API_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, nil, fmt.Errorf("nobody listens on %s; start a server with 'tillgate serve', or name the right address with --http", o.server)
	case err != nil:
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		var p problem
		if json.Unmarshal(answer, &p) == nil && p.Code != "" {
			return nil, nil, &p
		}
		return nil, nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return resp.Header, answer, nil
}
