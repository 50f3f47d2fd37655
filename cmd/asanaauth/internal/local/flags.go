package local

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Flags are what the command line says.
type Flags struct {
	Addr             address // of the service
	AsanaAddr        address // of offline Asana
	Data             string  // folder; empty: one under the user's cache directory
	BackendKey       string  // empty: ASANAAUTH_BACKEND_KEY, or one is made
	AllowNonLoopback bool
	Hosts            []string // further Hosts that are answered, with or without a port
}

// address is where to listen: an IP address, or none for all of them, and a port,
// 0 for a free one.
type address struct {
	IP   netip.Addr
	Port uint16
}

// isLoopback reports whether nobody but this machine can reach the address.
func (a address) isLoopback() bool { return a.IP.IsLoopback() }

const helpHead = `asanaauth local runs asanaauth on this machine, with an offline Asana of its own.
It is made for trying things and for developing against: not for production.

Usage:

  asanaauth local [flags]

It prints "ready URL" on stdout when it can be used, logs to stderr, and ends on
SIGINT or SIGTERM. Variables of the functions are read where they make sense here;
with ASANA_CLIENT_ID, ASANA_CLIENT_SECRET and ASANA_SCOPES it uses the real Asana.

Flags:

`

// ParseFlags reads a command line. It returns the help text where that was asked
// for; an error is a sentence for the person who typed the line.
func ParseFlags(args []string) (f Flags, help string, err error) {
	var text strings.Builder
	set := flag.NewFlagSet("local", flag.ContinueOnError)
	set.SetOutput(&text)
	set.Usage = func() {
		text.WriteString(helpHead)
		set.PrintDefaults()
	}
	addr := set.String("addr", "127.0.0.1:8484", "where the service listens, `IP:PORT`; port 0 is a free one")
	asanaAddr := set.String("asana-addr", "127.0.0.1:8485", "where offline Asana listens, `IP:PORT`")
	set.StringVar(&f.Data, "data", "", "`folder` that everything is kept in (default: one under the user's cache directory)")
	set.StringVar(&f.BackendKey, "backend-key", "", "`key` that backends show in place of AWS IAM: \"Authorization: Bearer KEY\", or SigV4 with KEY as the access key id and any secret (default: one is made and printed)")
	set.BoolVar(&f.AllowNonLoopback, "allow-non-loopback", false, "listen where other machines can reach it, although nothing is protected from them")
	set.Func("host", "a further `name` to answer to, as the Host of a request; may be repeated", func(name string) error {
		f.Hosts = append(f.Hosts, name)
		return checkHost(name)
	})
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return f, text.String(), nil
	case err != nil:
		return f, "", err
	case set.NArg() > 0:
		return f, "", fmt.Errorf("%q is no flag", set.Arg(0))
	}
	for _, a := range []struct {
		flag, value string
		to          *address
	}{{"-addr", *addr, &f.Addr}, {"-asana-addr", *asanaAddr, &f.AsanaAddr}} {
		if *a.to, err = parseAddress(a.value); err != nil {
			return f, "", fmt.Errorf("%s: %w", a.flag, err)
		}
		if !a.to.isLoopback() && !f.AllowNonLoopback {
			return f, "", fmt.Errorf("%s: other machines could reach this address (-allow-non-loopback lets them)", a.flag)
		}
	}
	if f.BackendKey != "" && !goodKey(f.BackendKey) {
		return f, "", errors.New("-backend-key: a key is made of A-Z, a-z, 0-9, -, _, . and ~")
	}
	return f, "", nil
}

func parseAddress(s string) (address, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q is not of the form IP:PORT", s)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("%q is no port", portText)
	}
	switch {
	case host == "":
		return address{netip.IPv6Unspecified(), uint16(port)}, nil
	case strings.EqualFold(host, "localhost"):
		return address{loopback4, uint16(port)}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return address{}, fmt.Errorf("%q is no IP address", host)
	}
	return address{ip.Unmap(), uint16(port)}, nil
}

// goodKey accepts what fits into a Bearer token (RFC 6750 section 2.1) and into
// the credential of a SigV4 signature, where a slash ends it.
func goodKey(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	return s != "" && strings.Trim(s, allowed) == ""
}

func checkHost(name string) error {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]"
	if name == "" || strings.Trim(name, allowed) != "" {
		return errors.New("is a name, with a port or without")
	}
	return nil
}
