package local

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
)

// Flags contains the values of the flags of "asanaauth local".
type Flags struct {
	Addr             address  // address of the service
	AsanaAddr        address  // address of the offline Asana
	Data             string   // data folder; if empty, a folder in the user's cache directory
	BackendKey       string   // if empty, ASANAAUTH_BACKEND_KEY or a generated key is used
	BackendSecret    string   // if empty, ASANAAUTH_BACKEND_SECRET or a generated secret is used
	AllowNonLoopback bool     // allow Addr and AsanaAddr that other machines can reach
	Hosts            []string // additional Host headers to accept, with or without a port
}

// address is an address to listen on. An unspecified IP address means all addresses, and
// port 0 means any free port.
type address struct {
	IP   netip.Addr
	Port uint16
}

func (a address) isLoopback() bool { return a.IP.IsLoopback() }

const helpHead = `Local runs asanaauth on this machine, for development and for trying it out.
It is not for production.

Usage:

  asanaauth local [flags]

When the service accepts requests, local prints "ready URL" on stdout. Open that URL in
a browser for a page that shows each step of a sign-in. Logs go to stderr. The command
runs until it gets SIGINT (Ctrl+C) or SIGTERM, and keeps its data in a folder.

By default, it also starts offline Asana, a test server that replaces Asana. To use the
real Asana, set ASANA_CLIENT_ID, ASANA_CLIENT_SECRET and ASANA_SCOPES.

Local reads these environment variables of the functions, if they are set:

  PUBLIC_URL, RETURN_URLS, ALLOWED_ORIGINS, SIGN_IN, SESSION_TTL, SESSION_IDLE_TTL
  ASANA_CLIENT_ID, ASANA_SCOPES, ASANA_RESPONSE_TYPE, ASANA_BASE_URL, ASANA_ISSUER
  INSTALLATION, KEY_CACHE_TTL

and these of its own:

  ASANA_CLIENT_SECRET, ASANA_NEXT_CLIENT_SECRET    instead of ASANA_CLIENT_SECRET_ARN
  ASANAAUTH_BACKEND_KEY, ASANAAUTH_BACKEND_SECRET  instead of -backend-key, -backend-secret

Examples:

  asanaauth local
  asanaauth local -data ./data -backend-key my-own-backend-key
  RETURN_URLS=http://localhost:3000/ ALLOWED_ORIGINS=http://localhost:3000 asanaauth local

Flags:

`

// ParseFlags parses the arguments that follow "local". If the arguments contain -h or
// -help, ParseFlags returns the help text. Returned errors are shown to users.
func ParseFlags(args []string) (f Flags, help string, err error) {
	set := flag.NewFlagSet("local", flag.ContinueOnError)
	addr := set.String("addr", "127.0.0.1:8484", "`IP:PORT` on which the service listens; port 0 selects a free port")
	asanaAddr := set.String("asana-addr", "127.0.0.1:8485", "`IP:PORT` on which offline Asana listens; port 0 selects a free port")
	set.StringVar(&f.Data, "data", "", "data `folder`; local creates it if it does not exist (default: a folder below the user's cache directory)")
	set.StringVar(&f.BackendKey, "backend-key", "", "`key` that backends send instead of AWS IAM credentials, as \"Authorization: Bearer KEY\" or as the access key ID of a SigV4 signature; at least 16 characters (default: a random key, which is printed)")
	set.StringVar(&f.BackendSecret, "backend-secret", "", "`secret` access key with which backends sign requests with SigV4; at least 16 characters (default: a random secret, which is printed)")
	set.BoolVar(&f.AllowNonLoopback, "allow-non-loopback", false, "allow -addr and -asana-addr to be addresses that other machines can reach; nothing protects the service from them")
	set.Func("host", "also accept requests with this Host `name`; can be repeated", func(name string) error {
		f.Hosts = append(f.Hosts, name)
		return checkHost(name)
	})
	if _, help, err := commandline.Parse(set, helpHead, args); help != "" || err != nil {
		return f, help, err
	}
	for _, a := range []struct {
		flag, value string
		to          *address
	}{{"-addr", *addr, &f.Addr}, {"-asana-addr", *asanaAddr, &f.AsanaAddr}} {
		if *a.to, err = parseAddress(a.value); err != nil {
			return f, "", fmt.Errorf("%s: %w", a.flag, err)
		}
		if !a.to.isLoopback() && !f.AllowNonLoopback {
			return f, "", fmt.Errorf("%s: other machines can reach this address: use a loopback address such as 127.0.0.1, or allow it with -allow-non-loopback", a.flag)
		}
	}
	if reason := keyFault(f.BackendKey); f.BackendKey != "" && reason != "" {
		return f, "", errors.New("-backend-key: " + reason)
	}
	if reason := secretFault(f.BackendSecret); f.BackendSecret != "" && reason != "" {
		return f, "", errors.New("-backend-secret: " + reason)
	}
	return f, "", nil
}

// parseAddress accepts IP:PORT, localhost:PORT, and :PORT for all addresses.
func parseAddress(s string) (address, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, errors.New("must have the form IP:PORT")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return address{}, errors.New("the part after the colon is not a port number")
	}
	switch {
	case host == "":
		return address{netip.IPv6Unspecified(), uint16(port)}, nil
	case strings.EqualFold(host, "localhost"):
		return address{loopback4, uint16(port)}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return address{}, errors.New("the part before the port is not an IP address")
	}
	return address{ip.Unmap(), uint16(port)}, nil
}

func checkHost(name string) error {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]"
	if name == "" || strings.Trim(name, allowed) != "" {
		return errors.New("must be a host name, optionally with a port")
	}
	return nil
}
