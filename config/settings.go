package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Setting is one key of the document: a leaf or a list.
type Setting struct {
	Path    string // http.read_timeout
	Flag    string // http-read-timeout
	Env     string // TILLGATE_HTTP_READ_TIMEOUT
	Help    string
	Default string // as the document would write it
	Kind    string // text, number, switch, duration, list
	value   reflect.Value
}

var durationType = reflect.TypeFor[time.Duration]()

// Settings are all keys of a configuration, in the order of its document.
// They are found by reflection over the components' own Options, so that a
// field that a component gains needs no second list to be forgotten in: a
// field is a key if it carries a `key` tag, or if descriptions (help.go) has
// an entry for it.
func Settings(c *Config) []Setting {
	var all []Setting
	collect(reflect.ValueOf(c).Elem(), "", &all)
	return all
}

func collect(v reflect.Value, prefix string, all *[]Setting) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, inline, ok := keyOf(field, prefix)
		if !ok {
			continue
		}
		path := prefix + name
		switch {
		case inline:
			collect(v.Field(i), prefix, all)
		case field.Type.Kind() == reflect.Struct:
			collect(v.Field(i), path+".", all)
		default:
			*all = append(*all, newSetting(field, path, v.Field(i)))
		}
	}
}

// keyOf is the key of a field. Fields of components that know nothing of keys
// have one if descriptions has an entry below it.
func keyOf(f reflect.StructField, prefix string) (name string, inline, ok bool) {
	tag, tagged := f.Tag.Lookup("key")
	name, options, _ := strings.Cut(tag, ",")
	switch {
	case !f.IsExported() || tag == "-":
		return "", false, false
	case options == "inline":
		return "", true, true
	case tagged:
		return name, false, true
	}
	name = snake(f.Name)
	_, described := descriptions[prefix+name]
	return name, false, described
}

// snake is a Go name as a key: CacheBytes is cache_bytes, MinFreeDisk
// min_free_disk, URL url.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func newSetting(f reflect.StructField, path string, v reflect.Value) Setting {
	flag := f.Tag.Get("flag")
	if flag == "" {
		flag = strings.NewReplacer(".", "-", "_", "-").Replace(path)
	}
	help := f.Tag.Get("help")
	if help == "" {
		help = descriptions[path]
	}
	return Setting{
		Path: path, Flag: flag, Help: help, Kind: kindOf(v.Type()), Default: render(v), value: v,
		Env: "TILLGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")),
	}
}

func kindOf(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Bool:
		return "switch"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "number"
}

// render writes a value as the document would. Lists are written by their
// length only: their entries may hold secrets.
func render(v reflect.Value) string {
	switch kindOf(v.Type()) {
	case "duration":
		return shortDuration(time.Duration(v.Int()))
	case "list":
		if v.Len() == 0 {
			return "[]"
		}
		return fmt.Sprintf("%d entries", v.Len())
	case "text":
		return fmt.Sprint(v.Interface())
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration leaves out the zero parts that time.Duration writes: 75s is
// 1m15s, an hour 1h.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// setText reads a flag's or an environment variable's text. A list is written
// as in the document, in YAML's flow style: [{name: …}, …]; a list of plain
// values also with commas.
func (s Setting) setText(text string) error {
	if s.Kind == "list" {
		return s.setList(text)
	}
	return setScalar(s.value, text)
}

func (s Setting) setList(text string) error {
	if s.value.Type().Elem().Kind() == reflect.String && !strings.HasPrefix(strings.TrimSpace(text), "[") {
		text = "[" + text + "]"
	}
	fresh := reflect.New(s.value.Type()).Elem()
	if err := readYAML([]byte(text), fresh, s.Path); err != nil {
		return err
	}
	s.value.Set(fresh)
	return nil
}

var errKind = errors.New("the setting has a kind that can't be written as text")

// setScalar reads one value.
func setScalar(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("a duration is wanted, like 500ms, 10s or 1h30m")
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("true or false is wanted")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if err != nil {
			return errors.New("a whole number is wanted")
		}
		v.SetInt(n)
	default:
		return errKind
	}
	return nil
}
