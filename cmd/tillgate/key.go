package main

import (
	"context"
	"fmt"

	"tillgate/gateway"
)

func init() {
	register(command{"key", "make a new API key", makeKey})
}

const aboutKey = `
Draws a new API key. The secret is shown once and stored nowhere; what goes
into the configuration is its hash. The lines below the secret are ready to be
put under "keys:".
`

// makeKey prints a new secret and its entry for the configuration.
func makeKey(_ context.Context, c *console, args []string) error {
	fs := newFlags(c, "key", "--name NAME --role ROLE [flags]", aboutKey)
	k := gateway.Key{}
	fs.StringVar(&k.Name, "name", "", "what logs and the journal call the key")
	fs.StringVar(&k.Role, "role", "", "till, checkout, finance, marketing, support or admin")
	fs.StringVar(&k.Merchant, "merchant", "", "the merchant it belongs to, where there are several")
	fs.StringSliceVar(&k.Stores, "store", nil, "bind it to a store (repeatable)")
	fs.StringSliceVar(&k.Terminals, "terminal", nil, "bind it to a terminal (repeatable)")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	secret, hash := gateway.NewKey()
	k.Hash = hash
	o := gateway.DefaultOptions()
	o.Keys = []gateway.Key{k}
	if err := o.Validate(); err != nil {
		return usagef("%s", err)
	}
	fmt.Fprintf(c.out, "secret (shown once): %s\n\nkeys:\n  - name: %s\n    hash: %s\n    role: %s\n", secret, k.Name, k.Hash, k.Role)
	if k.Merchant != "" {
		fmt.Fprintf(c.out, "    merchant: %q\n", k.Merchant)
	}
	printList(c, "stores", k.Stores)
	printList(c, "terminals", k.Terminals)
	return nil
}

func printList(c *console, name string, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(c.out, "    %s:\n", name)
	for _, one := range list {
		fmt.Fprintf(c.out, "      - %q\n", one)
	}
}
