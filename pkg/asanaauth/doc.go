// Package asanaauth is an auth backend for SaaS apps that use Asana.
//
// The auth backend sends people to Asana's consent screen, handles the callback, and
// encrypts and stores the tokens. Your app gets access tokens from the auth backend, but
// never a refresh token. Deploy the auth backend once, as Lambda functions in your own
// AWS account. Your frontend and your backend then call these functions over HTTP. A
// backend in Go can instead use this module as a library.
//
// The auth backend takes care of:
//
//   - One refresh at a time. If many callers on many machines need a new token, only one
//     of them sends a request to Asana, and all of them get the new token. This also
//     works if Asana rotates refresh tokens.
//   - Encryption. Tokens, names and e-mail addresses are sealed with keys that AWS KMS
//     wraps. A copy of the table does not reveal these values, and a forged value cannot
//     be opened.
//   - OAuth in detail: PKCE, state, nonce, ID tokens, redirect URIs, rate limits, and two
//     client secrets during a rotation.
//   - Licenses. Package membership reports whether a person has a view-only license, so
//     your app does not need to attempt a write to find out.
//   - Audit. The log has a line for each token that is returned, and for each connection
//     that is made, broken or revoked. The line names the caller.
//
// To try the auth backend without an account at Asana or AWS, run this command in the
// repository and open the address that the command prints:
//
//	go run ./cmd/asanaauth local
//
// # Four ways to use the auth backend
//
// A connection is one Asana credential that belongs to one owner. The owner is a user or
// a customer of your app, under a name that you choose. You can make and use connections
// in four ways, and one deployment supports all of them. Each way has an example below.
// The examples run in memory.
//
// Sign-in is for apps whose users sign in with Asana. The app sends the browser to
// /authorize, and /callback starts a session. The app's frontend then calls /session and
// /refresh. The connection's owner is "asana:" followed by the Asana user's gid. See
// Example (SignIn).
//
// Links are for apps whose users do not sign in with Asana. The backend makes a link for a
// user. The user opens the link and returns from Asana with a connect code. When the
// backend redeems the code, the connection is made. See Example (Link).
//
// Imports are for credentials that were stored elsewhere: a personal access token, a
// service account's token, or the refresh token of an OAuth grant. Before a credential is
// saved, Asana must confirm that it is valid. See Example (Import).
//
// The Go library is for backends in Go. The library returns an http.Client for each
// connection. It reads and writes the table itself instead of calling the Lambda
// functions, so the backend needs IAM permissions on the table, the KMS key and the client
// secret. Package onaws opens the deployment. See Example (GoLibrary):
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
//   - Package connection finds, describes, lists, imports and disconnects connections.
//   - Package token returns access tokens, also as an oauth2.TokenSource or an
//     http.Client.
//   - Package membership reports licenses, and what a credential can do.
//   - Package link makes links and redeems connect codes.
//   - Package session checks and ends browser sessions.
//   - Package login sends people to Asana's consent screen and handles the callback.
//
// For a deployment on AWS, package onaws creates the values of these packages that a Go
// backend needs, such as a connection.Connections. Package httpapi serves the six packages
// over HTTP.
//
// The six packages use packages for the table (store), sealed fields (seal), the data
// keys (keyring), the Asana app's client secrets (clientsecret), and Asana's endpoints
// (asana). To test your own code, use package asanatest, which simulates Asana offline.
//
// # Errors
//
// The functions and methods of packages connection, token, membership, link, session and
// login return an [*Error] or nil. Only constructors and Wait methods return other
// errors. An http.Client from package token returns the [*Error] wrapped in a url.Error.
// Let your code check the kind of an error, never its text:
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
// Call each constructor once, when the program starts. All values that constructors
// return are safe for concurrent use. A connection.Connection and a session.Session are
// not safe for concurrent use, so open a new one for each request. Any number of
// processes can use the same table, because they coordinate through its rows.
//
// A call that sends requests to Asana takes at most 25 seconds, and ends earlier if its
// context ends. If the context ends during a token request, the request continues in the
// background, so that its response is saved. Therefore, call the Wait method of
// token.Tokens before the program ends.
//
// The limit of 25 seconds does not apply to a request that you send with an http.Client
// from package token. Such a request is limited only by its own context.
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
