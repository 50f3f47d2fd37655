package asanatest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// switchesDoc contains the descriptions of the switches for the page at /_offline/. A
// test checks that the descriptions are the same as the comments in switches.go.
//
//go:embed SWITCHES.md
var switchesDoc string

// SwitchInfo contains the documentation, the default and the allowed values of one
// switch.
type SwitchInfo struct {
	Name      string   // name in JSON
	Group     string   // heading in SWITCHES.md and on the page
	Meaning   string   // what the switch does
	StandsFor string   // what is known about this behavior of the real Asana
	Default   string   // default value in JSON
	Values    []string // allowed values; nil if the switch takes any number or string
}

// SwitchTable returns descriptions of all switches, in the order of the fields of
// [Switches].
func SwitchTable() []SwitchInfo {
	words := switchWords()
	defaults := reflect.ValueOf(DefaultSwitches())
	var table []SwitchInfo
	for i := range defaults.NumField() {
		f := defaults.Type().Field(i)
		value, _ := json.Marshal(defaults.Field(i).Interface())
		info := SwitchInfo{Name: f.Tag.Get("json"), Group: f.Tag.Get("group"), Default: string(value), Values: switchValues(f)}
		info.Meaning, info.StandsFor = words[info.Name][0], words[info.Name][1]
		table = append(table, info)
	}
	return table
}

// switchWords returns the last two columns of SWITCHES.md. The keys of the map are the
// JSON names of the switches. The table rows have the form
//
//	| `name` | default | meaning | real Asana |
func switchWords() map[string][2]string {
	words := map[string][2]string{}
	for line := range strings.Lines(switchesDoc) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 4 && strings.HasPrefix(line, "| `") {
			words[strings.Trim(cells[0], "| `")] = [2]string{cells[2], strings.TrimSuffix(cells[3], " |")}
		}
	}
	return words
}

func switchValues(f reflect.StructField) []string {
	if f.Type.Kind() == reflect.Bool {
		return []string{"false", "true"}
	}
	if tag, ok := f.Tag.Lookup("values"); ok {
		return strings.Split(tag, "|")
	}
	return nil
}

// The names of the switches in body are case-sensitive, although encoding/json ignores
// case.
func (s Switches) patch(body []byte) (Switches, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	var members map[string]json.RawMessage
	if err := dec.Decode(&members); err != nil || members == nil {
		return s, errors.New("not a JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return s, errors.New("data after the JSON object")
	}
	v := reflect.ValueOf(&s).Elem()
	for name, raw := range members {
		i := slices.IndexFunc(reflect.VisibleFields(v.Type()), func(f reflect.StructField) bool { return f.Tag.Get("json") == name })
		if i < 0 {
			return s, fmt.Errorf("unknown switch %q", name)
		}
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil || string(raw) == "null" {
			return s, fmt.Errorf("%s must be %s", name, kindText(v.Field(i).Kind()))
		}
	}
	return s, s.check()
}

func kindText(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "a string"
}

func choices(values []string) string {
	if values[0] == "" {
		return "empty or one of: " + strings.Join(values[1:], ", ")
	}
	return "one of: " + strings.Join(values, ", ")
}

func (s Switches) check() error {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if err := checkSwitch(f, v.Field(i)); err != nil {
			return fmt.Errorf("%s %w", f.Tag.Get("json"), err)
		}
	}
	if s.Status != 0 && s.Status < 200 {
		return fmt.Errorf("status must be 0, or between 200 and 599")
	}
	if s.MembershipStatus != 0 && s.MembershipStatus < 400 {
		return fmt.Errorf("membership_status must be 0, or between 400 and 499")
	}
	return nil
}

func checkSwitch(f reflect.StructField, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if values, ok := f.Tag.Lookup("values"); ok && !slices.Contains(strings.Split(values, "|"), v.String()) {
			return errors.New("must be " + choices(strings.Split(values, "|")))
		}
	case reflect.Int:
		least, most := limit(f, "min", 0), limit(f, "max", 1<<31)
		if v.Int() < least || v.Int() > most {
			return fmt.Errorf("must be between %d and %d", least, most)
		}
	}
	return nil
}

func limit(f reflect.StructField, tag string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(f.Tag.Get(tag), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// Switches returns a copy of the current switches. To change switches, call SetSwitches.
func (a *Asana) Switches() Switches {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory.Switches
}

// SetSwitches calls change with a copy of the current switches, and then applies the
// changed copy. If a value is invalid, or if the state file cannot be written,
// SetSwitches returns an error and changes nothing. The function change must not call
// methods of a.
func (a *Asana) SetSwitches(change func(*Switches)) error {
	return a.changeSwitches(func(s Switches) (Switches, error) {
		change(&s)
		return s, s.check()
	})
}

func (a *Asana) changeSwitches(change func(Switches) (Switches, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory.setSwitches(change)
}
