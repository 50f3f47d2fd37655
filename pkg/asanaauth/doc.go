// Package asanaauth is the auth backend that a SaaS team puts in front of Asana. It
// sends people to Asana's consent screen and handles the callback. It stores their tokens
// encrypted, and returns short-lived access tokens to authorized callers.
//
// Package asanaauth holds what the packages below share and what their importers need:
// errors and their kinds ([Error], [KindOf]), the kinds and states of connections ([Kind],
// [Status]), the description of a connection ([Details]), and the caller's name in audit
// lines ([WithCaller]). These packages do the work:
//
//   - package connection opens, describes, lists, imports and disconnects connections;
//   - package token returns access tokens, also as an oauth2.TokenSource or an http.Client;
//   - package membership reports licences, and what a credential can do;
//   - package link makes links and redeems connect codes;
//   - package session opens and ends the sessions of browsers;
//   - package login sends people to Asana's consent screen and handles the callback.
//
// They use the data keys of an installation (package keyring), the client secrets of the
// Asana app (package clientsecret), the table (package store), encrypted fields (package
// seal), and a client of Asana's endpoints (package asana). Package httpapi serves them
// over HTTP.
//
// # How to use it
//
// A connection is made in one of three ways. A person signs in: the app sends the browser
// to /authorize, and Asana's callback starts a session. A backend invites one of its own
// users with a link, and redeems the connect code that the browser brings back. A backend
// imports a credential that was stored elsewhere.
//
// A Go program opens the deployment with package onaws:
//
//	d, err := onaws.Open(ctx, onaws.Options{AWS: cfg, TableName: "…", …})
//	…
//	api := d.Tokens().HTTPClient(connectionID)
//	resp, err := api.Get("https://app.asana.com/api/1.0/users/me")
//
// # Errors
//
// Except for constructors and Wait methods, the functions of the six packages listed above
// return an [*Error] or nil. Decide by its kind:
//
//	switch asanaauth.KindOf(err) {
//	case "": // no error
//	case asanaauth.ReconnectRequired: // ask the person to connect again
//	case asanaauth.TryAgain: // wait for Error.RetryAfter, then call again
//	}
//
// # Stability
//
// There is no tagged release yet: names may change. Each release can read the rows that
// the release before it wrote.
package asanaauth
