package local

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// If the port is 0, listen makes up to freePortTries attempts to find a port that is free
// on every address.
const freePortTries = 10

// listen opens listeners on the address a and on both loopback addresses, because
// browsers may resolve "localhost" to either loopback address. All listeners have the
// same port.
func listen(a address) (ls []net.Listener, port uint16, err error) {
	for range freePortTries {
		ls, port, err = listenOnce(a)
		if err == nil || a.Port != 0 {
			break
		}
	}
	return ls, port, err
}

// listenOnce opens a listener on each address. If a.Port is 0, the operating system
// chooses the port for the first listener, and the other listeners use the same port.
func listenOnce(a address) ([]net.Listener, uint16, error) {
	var ls []net.Listener
	port := a.Port
	for _, at := range places(a.IP) {
		l, err := net.Listen(at.network, net.JoinHostPort(at.host(), strconv.Itoa(int(port))))
		if err != nil {
			closeAll(ls)
			return nil, 0, fmt.Errorf("%w: choose another address or port", err)
		}
		ls = append(ls, l)
		port = uint16(l.Addr().(*net.TCPAddr).Port)
	}
	return ls, port, nil
}

type place struct {
	network string
	ip      netip.Addr
}

// host returns "" for the unspecified address, because listening on "::" fails on
// machines without IPv6.
func (p place) host() string {
	if p.ip == netip.IPv6Unspecified() {
		return ""
	}
	return p.ip.String()
}

// places returns the addresses to listen on, which are ip and the loopback addresses. It
// omits loopback addresses that ip already includes: the address 0.0.0.0 includes all
// IPv4 addresses and, as in package net, the address "::" includes all addresses.
func places(ip netip.Addr) []place {
	all := []place{{"tcp6", ip}}
	if ip.Is4() {
		all[0].network = "tcp4"
	}
	switch {
	case ip == netip.IPv6Unspecified():
		all[0].network = "tcp"
		return all
	case ip != loopback4 && ip != netip.IPv4Unspecified():
		all = append(all, place{"tcp4", loopback4})
	}
	if ip != loopback6 && hasIPv6() {
		all = append(all, place{"tcp6", loopback6})
	}
	return all
}

// hasIPv6 reports whether this machine can listen on ::1, which many containers cannot.
func hasIPv6() bool {
	l, err := net.Listen("tcp6", net.JoinHostPort(loopback6.String(), "0"))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

type listeners struct {
	service, asana         []net.Listener // asana is empty if the real Asana is used
	servicePort, asanaPort uint16
}

// openListeners is called before the configuration is read, because the default of
// PUBLIC_URL contains the port.
func openListeners(f Flags, offline bool) (*listeners, error) {
	var l listeners
	var err error
	if l.service, l.servicePort, err = listen(f.Addr); err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	if !offline {
		return &l, nil
	}
	if l.asana, l.asanaPort, err = listen(f.AsanaAddr); err != nil {
		closeAll(l.service)
		return nil, fmt.Errorf("-asana-addr: %w", err)
	}
	return &l, nil
}

func (l *listeners) close() {
	closeAll(l.service)
	closeAll(l.asana)
}

// serviceURL returns the origin of the service, whose host is localhost. The host of the
// offline Asana is 127.0.0.1. The hosts differ because browsers share cookies between all
// ports of a host.
func (l *listeners) serviceURL() string { return "http://localhost" + portOf(l.servicePort) }

func (l *listeners) asanaURL() string { return "http://" + loopback4.String() + portOf(l.asanaPort) }

// portOf returns the port part of an http origin, for example ":8484", or "" for port 80.
func portOf(port uint16) string {
	if port == 80 {
		return ""
	}
	return ":" + strconv.Itoa(int(port))
}
