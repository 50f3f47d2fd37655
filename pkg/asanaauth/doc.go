// Package asanaauth is an auth backend for SaaS apps that use Asana.
//
// The auth backend sends people to Asana's consent screen, handles the callback, and
// stores their tokens encrypted. Authorized callers get short-lived access tokens. Deploy
// the auth backend once, as Lambda functions in your own AWS account. Your frontend and
// your backend call it over HTTP. A Go backend can also use it as a library.
//
// No call returns a refresh token. The auth backend takes care of:
//
//   - One refresh at a time. If many callers on many machines need a new token, only one
//     of them sends a request to Asana, and all of them get the new token. The same
//     works if Asana rotates refresh tokens.
//   - Encryption. Tokens, names and e-mail addresses are sealed with keys that AWS KMS
//     wraps. A copy of the table does not reveal them. A forged field cannot be opened.
//   - OAuth in detail: PKCE, state, nonce, ID tokens, redirect URIs, rate limits, and two
//     client secrets during a rotation.
//   - Licenses. Package membership reports whether a person has a view-only license,
//     before a write to Asana fails.
//   - Audit. A log line names the caller for each token that is returned, and for each
//     connection that is made, broken or revoked.
//
// To try it without an account at Asana or AWS, run this in the repository and open the
// address that it prints:
//
//	go run ./cmd/asanaauth local
//
// # Four ways in
//
// A connection is one Asana credential that belongs to one owner. An owner is your own
// name for a user or a customer. There are four ways to make or use a connection, and one
// deployment can serve all of them. Each way has an example below, which runs in memory.
//
// Sign-in is for apps whose users sign in with Asana. The app sends the browser to
// /authorize, and Asana's callback starts a session. The app's frontend then calls
// /session and /refresh. The owner is the Asana user. See Example (SignIn).
//
// Links are for apps that have users of their own. The backend makes a link for a user,
// and the user's browser returns from Asana with a connect code. When the backend redeems
// the code, the connection is made. See Example (Link).
//
// Imports are for credentials that were stored elsewhere: a personal access token, a
// service account's token, or the refresh token of an OAuth grant. Before a credential is
// saved, Asana must confirm that it is valid. See Example (Import).
//
// The Go library is for backends in Go. The library returns an http.Client for each
// connection, and does not call the Lambda functions. The backend needs IAM permissions
// on the table and the KMS key. Open the deployment with package onaws. See Example
// (GoLibrary):
//
//	d, err := onaws.Open(ctx, onaws.Options{AWS: cfg, TableName: "…", …})
//	…
//	client := d.Tokens().HTTPClient(connectionID)
//	resp, err := client.Get("https://app.asana.com/api/1.0/users/me")
//
// # Packages
//
// Package asanaauth declares the types that the other packages share: [Error] and its
// kinds, a connection's [Kind], [Status] and description ([Details]), and the caller's
// name in audit lines ([WithCaller]). Six packages do the work:
//
//   - Package connection opens, describes, lists, imports and disconnects connections.
//   - Package token returns access tokens, also as an oauth2.TokenSource or an
//     http.Client.
//   - Package membership reports licenses, and what a credential can do.
//   - Package link makes links and redeems connect codes.
//   - Package session opens and ends browser sessions.
//   - Package login sends people to Asana's consent screen and handles the callback.
//
// Package onaws creates the main types of these six packages for a deployment on AWS.
// Package httpapi serves them over HTTP. The six packages use packages for the table
// (store), sealed fields (seal), the data keys (keyring), the Asana app's client secrets
// (clientsecret), and Asana's endpoints (asana). To test your own code, use package
// asanatest, which simulates Asana offline.
//
// # Errors
//
// The functions and methods of the six packages return an [*Error] or nil. Constructors
// and Wait methods return plain errors. An http.Client from package token returns the
// [*Error] wrapped in a url.Error. Decide by the kind of an error, never by its text:
//
//	switch asanaauth.KindOf(err) {
//	case "": // no error
//	case asanaauth.ReconnectRequired: // ask the person to connect again
//	case asanaauth.TryAgain: // wait for Error.RetryAfter, then call again
//	}
//
// Each kind is also a problem type of the HTTP API. A function's comment lists the kinds
// that the function returns. An error's text never contains a secret.
//
// # Concurrency
//
// Create each value once, when the program starts. All values that constructors return
// are safe for concurrent use. An opened connection (connection.Connection) and an opened
// session (session.Session) are not safe for concurrent use, so open one for each
// request. Any number of processes can use the same table, because they coordinate
// through its rows.
//
// A call that sends requests to Asana takes at most 25 seconds, or until its context
// ends. Once a token request is sent, its response is saved even if the caller's context
// ends. Therefore, call the Wait method of token.Tokens before the program ends. A
// request that you send with an http.Client from package token has no time limit except
// its context.
//
// # Stability
//
// Versions follow semantic versioning (https://semver.org), starting with the first tag.
// No version is tagged yet, so names and the format of rows may still change. From the
// first tag on, a release can read the rows of the release before it and of the release
// after it, so you can go back by one release without losing data.
//
// The packages have been tested against an offline simulation of Asana and against local
// servers that implement the AWS APIs. No package has yet been run against the real
// Asana.
package asanaauth
