// Package asanaauth is an auth backend for SaaS apps that use Asana.
//
// It sends people to Asana's consent screen, handles the callback, and stores their tokens
// encrypted. Then it returns short-lived access tokens to the callers that may have them.
// Deploy it once, as Lambda functions in your own AWS account. Your frontend and your
// backend call it over HTTP, and a Go backend can also use it as a library.
//
// No call returns a refresh token. The backend takes care of:
//
//   - One refresh at a time. However many callers and machines there are, one of them asks
//     Asana, and all of them get the new token. This also holds if Asana rotates refresh
//     tokens.
//   - Encryption. Tokens, names and e-mail addresses are sealed under keys that AWS KMS
//     wraps. A copy of the table reveals none of them. The fields of a row that an attacker
//     made up do not open.
//   - OAuth in detail: PKCE, state, nonce, ID tokens, redirect URIs, rate limits, and two
//     client secrets during a rotation.
//   - Licences. Package membership reports whether a person's licence is view only, before
//     a write fails.
//   - Audit. A log line names the caller of each token that is returned, and of each
//     connection that is made, broken or revoked.
//
// To try it without an account at Asana or AWS, run this in the repository and open the
// address that it prints:
//
//	go run ./cmd/asanaauth local
//
// # Four ways in
//
// A connection is one Asana credential of one owner. An owner is your own name for a user
// or a customer. There are four ways in, and one deployment can serve all of them. Each has
// an example below, which runs in memory.
//
// Sign-in is for apps whose users sign in with Asana. The app sends the browser to
// /authorize, and Asana's callback starts a session. The app's frontend then calls /session
// and /refresh. The owner is the Asana user. See Example (SignIn).
//
// Links are for apps that have users of their own. The backend makes a link for one of
// them, and the browser comes back with a connect code. When the backend redeems the code,
// the connection exists. See Example (Link).
//
// Imports are for credentials that were stored elsewhere: a personal access token, a
// service account's token, or the refresh token of an OAuth grant. Asana verifies them
// first. See Example (Import).
//
// The Go library gives a backend an http.Client for each connection, without a call to
// the functions. It needs IAM permissions on the table and the KMS key. See Example
// (GoLibrary), and open the deployment with package onaws:
//
//	d, err := onaws.Open(ctx, onaws.Options{AWS: cfg, TableName: "…", …})
//	…
//	client := d.Tokens().HTTPClient(connectionID)
//	resp, err := client.Get("https://app.asana.com/api/1.0/users/me")
//
// # Packages
//
// This package has what the others share: [Error] and its kinds, the [Kind] and [Status] of
// a connection, its description ([Details]), and the caller's name in audit lines
// ([WithCaller]). Six packages do the work:
//
//   - connection opens, describes, lists, imports and disconnects connections;
//   - token returns access tokens, also as an oauth2.TokenSource or an http.Client;
//   - membership reports licences, and what a credential can do;
//   - link makes links and redeems connect codes;
//   - session opens and ends the sessions of browsers;
//   - login sends people to Asana's consent screen and handles the callback.
//
// Package onaws makes all of them for a deployment on AWS. Package httpapi serves them
// over HTTP. Below them are the table (store), sealed fields (seal), the data keys
// (keyring), the client secrets of the Asana app (clientsecret), and a client of Asana's
// endpoints (asana). To test your own code, use package asanatest, an Asana that runs
// offline.
//
// # Errors
//
// The functions and methods of the six packages return an [*Error] or nil. Constructors and
// Wait methods return plain errors. Methods of an http.Client return the [*Error] wrapped.
// Decide by the kind, never by the text:
//
//	switch asanaauth.KindOf(err) {
//	case "": // no error
//	case asanaauth.ReconnectRequired: // ask the person to connect again
//	case asanaauth.TryAgain: // wait for Error.RetryAfter, then call again
//	}
//
// Each kind is also a problem type of the HTTP API. The comment of a function lists the
// kinds that it returns. An error's text never contains a secret.
//
// # Concurrency
//
// Make each value once, when the program starts. What a constructor returns is safe for
// concurrent use. An opened connection (connection.Connection) and an opened session
// (session.Session) are not: open one for each request. Any number of processes can use the
// same table, because they coordinate through its rows.
//
// A call that asks Asana takes 25 seconds at most, and less if its context ends earlier.
// Once a request for tokens is sent, its response is saved even if the context ends. So
// call Wait of token.Tokens before the program ends. A request that you send with an
// http.Client of package token has no time limit except its context.
//
// # Stability
//
// Versions follow semantic versioning (https://semver.org) from the first tag on. No
// version is tagged yet, so names may still change. Rows outlive a version: release N
// reads the rows of release N and of release N-1, so you can go back by one release
// without a loss. Before the first tag, the format of rows may change too.
//
// The packages have been tested against offline Asana and against servers of the AWS APIs.
// They have not yet been run against the real Asana.
package asanaauth
