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
	register(command{"program", "check or publish a programme document", programCommand})
}

const aboutProgram = `
check    reads a programme document and says everything that is wrong with it,
         each fault with the path of its key. No server is needed.
publish  checks the document and puts it into force on a running server.

FILE may be - for the standard input. With keys configured, TILLGATE_API_KEY
holds the secret of a marketing or admin key.
`

// programCommand checks or publishes a document.
func programCommand(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "program", "check|publish FILE [flags]", aboutProgram)
	server := fs.String("http", envOr("TILLGATE_HTTP", "127.0.0.1:8080"), "address of the server's HTTP listener")
	match := fs.String("if-match", "", "publish only over this version (the ETag of GET /v1/program)")
	if err := parse(fs, args, 2, 2); err != nil {
		return err
	}
	if fs.Arg(0) != "check" && fs.Arg(0) != "publish" {
		return usagef("there is no %q; there are check and publish", fs.Arg(0))
	}
	doc, err := readDocument(c, fs.Arg(1))
	if err != nil {
		return err
	}
	if _, problems := program.Compile(doc); len(problems) > 0 {
		return refusedDocument(fs.Arg(1), problems)
	}
	if fs.Arg(0) == "check" {
		fmt.Fprintf(c.out, "%s can be published\n", fs.Arg(1))
		return nil
	}
	return publish(ctx, c, *server, *match, doc)
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

// publish puts a document into force.
func publish(ctx context.Context, c *console, server, match string, doc []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+server+"/v1/program", bytes.NewReader(doc))
	if err != nil {
		return usagef("--http: %q is no address; one looks like 127.0.0.1:8080", server)
	}
	req.Header.Set("Content-Type", "application/yaml")
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	if key := os.Getenv("TILLGATE_API_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens on %s; start a server with 'tillgate serve', or name the right address with --http", server)
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		var p problem
		if json.Unmarshal(answer, &p) == nil && p.Code != "" {
			return &p
		}
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	fmt.Fprintf(c.out, "in force as %s\n", resp.Header.Get("ETag"))
	return nil
}
