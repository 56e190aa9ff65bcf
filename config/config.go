// Package config is the server's settings: one strict YAML document, made of
// each component's own Options, with the defaults in code.
//
// Every key can be given in four places; the later one wins: default, file,
// environment (TILLGATE_…), flag. An unknown key is refused with its path.
// docs/configuration.md has the whole table, which a test holds to the code.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tillgate/gateway"
	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/reconciler"
)

// Config is the whole document.
type Config struct {
	Data     string `key:"data" help:"directory of the ledger; created if it is missing"`
	Dev      bool   `key:"dev" help:"for trying out: start a PostgreSQL in the data directory where none is configured, and serve a sample programme to a merchant that has none"`
	Timezone string `key:"timezone" help:"time zone of stores that name none, like Asia/Almaty"`
	Log      Log    `key:"log"`
	Memory   Memory `key:"memory"`

	Gateway    gateway.Options    `key:",inline"`
	Ledger     ledger.Options     `key:"ledger"`
	Processor  processor.Options  `key:"processor"`
	Reconciler reconciler.Options `key:"reconciler"`
}

// Log is how the server tells what it does.
type Log struct {
	Level  string `key:"level" help:"least level that is logged: debug, info, warn or error"`
	Format string `key:"format" help:"text or json"`
}

// Memory is how the runtime collects garbage. GOGC and GOMEMLIMIT in the
// environment go before it.
type Memory struct {
	GCPercent int   `key:"gc_percent" help:"garbage that may gather before a collection, in percent of what is in use: more costs memory and saves processor time"`
	Limit     int64 `key:"limit" help:"bytes of memory near which collections become as frequent as is needed to stay below; 0: none"`
}

// Default is the configuration with which a newcomer's server starts.
func Default() *Config {
	return &Config{
		Data:     "./data",
		Timezone: "UTC",
		Log:      Log{Level: "info", Format: "text"},
		// What is in use is mostly caches of bounded size, up to some 2,200 MiB: to
		// let garbage gather beside it saves a tenth of the processor time. With the
		// block cache and four memtables, which the runtime doesn't count and which
		// take up to twice their size, the limit keeps the process below 4 GiB.
		Memory:  Memory{GCPercent: 400, Limit: 2816 << 20},
		Gateway: gateway.DefaultOptions(),
		Ledger: ledger.Options{
			Partitions: 64, Queue: 4096, Drain: 512, InFlight: 4,
			CacheBytes: 256 << 20, MemTableBytes: 64 << 20, HotAccounts: 100_000, RecordCacheBytes: 1280 << 20, WarmUp: true, LinkCache: 10_000_000, DupFilterBytes: 32 << 20, ReceiptFilterBytes: 32 << 20, MinFreeDisk: 1 << 30,
			WindowRecords: 1000, WindowAge: time.Minute,
			Retention: ledger.Retention{Duplicates: 7 * 24 * time.Hour, Journal: 366 * 24 * time.Hour, Sales: 366 * 24 * time.Hour},
			MaxDups:   1024, SweepEvery: time.Second,
		},
		Processor: processor.Options{
			ClockSkew: 5 * time.Minute, CodeAttempts: 5, Waiting: 4096, HoldsPerMember: 100,
		},
		Reconciler: reconciler.DefaultOptions(),
	}
}

// Validate says everything that is wrong, each fault with the path of its key.
func (c *Config) Validate() error {
	var faults []error
	if c.Data == "" {
		faults = append(faults, errors.New("data: a directory is wanted"))
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		faults = append(faults, fmt.Errorf("timezone: %q is not a time zone; one looks like Asia/Almaty", c.Timezone))
	}
	if !oneOf(c.Log.Level, "debug", "info", "warn", "error") {
		faults = append(faults, errors.New("log.level: debug, info, warn or error is wanted"))
	}
	if !oneOf(c.Log.Format, "text", "json") {
		faults = append(faults, errors.New("log.format: text or json is wanted"))
	}
	if c.Memory.GCPercent < 10 || c.Memory.GCPercent > 10_000 {
		faults = append(faults, errors.New("memory.gc_percent: 10 to 10000 is wanted"))
	}
	if c.Memory.Limit != 0 && c.Memory.Limit < 256<<20 {
		faults = append(faults, errors.New("memory.limit: at least 256 MiB (268435456) is wanted, or 0 for none"))
	}
	if n := c.Processor.HoldsPerMember; n < 1 || n > ledger.MaxHolds {
		faults = append(faults, fmt.Errorf("processor.holds_per_member: 1 to %d is wanted", ledger.MaxHolds))
	}
	return errors.Join(append(faults, c.Gateway.Validate(), prefixed("ledger.", c.Ledger.Retention.Validate()), prefixed("reconciler.", c.Reconciler.Validate()))...)
}

// prefixed puts the path of a component before each of its faults.
func prefixed(path string, err error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s%w", path, err)
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, fmt.Errorf("%s%w", path, one))
	}
	return errors.Join(all...)
}

func oneOf(s string, all ...string) bool {
	for _, one := range all {
		if s == one {
			return true
		}
	}
	return false
}

// Read reads a document over what c holds. Unknown and repeated keys are
// refused, all faults are told at once.
func (c *Config) Read(doc []byte) error {
	return readYAML(doc, reflect.ValueOf(c).Elem(), "")
}

// Loader puts a configuration together from a command's flags, the
// environment and a file.
type Loader struct {
	config *Config
	file   string
	given  []Setting // by flag, with what was given
	texts  []string
}

// Bind adds the flags of the settings under the given paths to a flag set
// (all settings without any), and --config. Shorter sets keep the help of
// small commands short.
func Bind(fs *pflag.FlagSet, paths ...string) *Loader {
	l := &Loader{config: Default()}
	fs.StringVar(&l.file, "config", "", "configuration file (YAML); environment: TILLGATE_CONFIG")
	for _, s := range Settings(l.config) {
		if !under(s.Path, paths) {
			continue
		}
		flag := fs.VarPF(&flagValue{loader: l, setting: s}, s.Flag, "", s.Help)
		flag.DefValue = s.Default
		if s.Kind == "switch" {
			flag.NoOptDefVal = "true"
		}
	}
	return l
}

func under(path string, paths []string) bool {
	for _, p := range paths {
		if path == p || strings.HasPrefix(path, p+".") {
			return true
		}
	}
	return len(paths) == 0
}

// flagValue keeps what a flag was given until Load, so that flags win over
// the file whatever the order is.
type flagValue struct {
	loader  *Loader
	setting Setting
	text    string
}

// String is pflag's.
func (f *flagValue) String() string { return f.text }

// Type is the word that the help shows for the value.
func (f *flagValue) Type() string {
	if f.setting.Kind == "switch" {
		return "bool" // pflag shows no value for it
	}
	return f.setting.Kind
}

// Set checks the text against a scratch configuration and keeps it.
func (f *flagValue) Set(text string) error {
	if err := f.setting.scratch().setText(text); err != nil {
		return err
	}
	f.text = text
	f.loader.given = append(f.loader.given, f.setting)
	f.loader.texts = append(f.loader.texts, text)
	return nil
}

// scratch is the same setting with a value of its own.
func (s Setting) scratch() Setting {
	s.value = reflect.New(s.value.Type()).Elem()
	return s
}

// Load reads the file, then the environment, then applies the flags, and
// checks the whole.
func (l *Loader) Load(lookup func(name string) (string, bool)) (*Config, error) {
	if l.file == "" {
		l.file, _ = lookup("TILLGATE_CONFIG")
	}
	if l.file != "" {
		doc, err := os.ReadFile(l.file)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if err := l.config.Read(doc); err != nil {
			return nil, fmt.Errorf("%s: %w", l.file, err)
		}
	}
	for _, s := range Settings(l.config) {
		if text, ok := lookup(s.Env); ok {
			if err := s.setText(text); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Env, err)
			}
		}
	}
	for i, s := range l.given {
		if err := s.setText(l.texts[i]); err != nil {
			return nil, fmt.Errorf("--%s: %w", s.Flag, err)
		}
	}
	if err := l.config.Validate(); err != nil {
		return nil, err
	}
	return l.config, nil
}
