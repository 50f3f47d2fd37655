// Package asanatest is an offline Asana: an [http.Handler] that behaves like
// Asana's authorization, token, OpenID Connect and membership endpoints, so
// that any Asana client can be tested without a network, an account or a
// browser.
//
// Start it under [net/http/httptest], on a port of its own, or call it in
// memory through [Asana.Transport]:
//
//	asana, err := asanatest.New(asanatest.Options{})
//	server := httptest.NewServer(asana)
//	asana.SetBaseURL(server.URL)
//	// point the client under test at server.URL in place of https://app.asana.com
//
// [Asana.Authorize] plays the person who clicks Allow, [Asana.Inject] breaks
// single requests, [Asana.Requests] tells what was asked. Over HTTP the same
// things are found under /_offline/: a page for people at /_offline/, and for
// programs
//
//	GET    /_offline/switches  all switches, a JSON object
//	PUT    /_offline/switches  sets those named; an unknown one is 400 and changes nothing
//	POST   /_offline/reset     forgets everything
//	POST   /_offline/expire    ends all access tokens
//	POST   /_offline/revoke    everybody deauthorises every app
//	POST   /_offline/faults    a [Fault] as JSON; DELETE drops all that wait
//	POST   /_offline/tokens    form or JSON {"person"}: {"token"}, a personal access token, or the token of a service account
//	GET    /_offline/requests  what was asked lately
//	GET    /_offline/people    who there is, with their workspaces
//
// What Asana documents is done as documented. What nobody outside Asana knows
// is a switch ([Switches], listed in SWITCHES.md) whose default is our guess
// and not Asana's word: a client is robust if it works under both settings.
//
// It is a test server: it keeps tokens in the clear, lets anybody sign in as
// anybody, and must not be reachable by others.
package asanatest
