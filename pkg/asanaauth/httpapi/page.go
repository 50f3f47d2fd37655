package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// pages writes HTML pages without html/template, which would make the Lambda functions
// larger and slower to start.
type pages struct {
	home string // the target of the link back to the app: the first return URL
}

type pageText struct {
	heading  string // also the title of the page
	happened string // what happened
	next     string // what the person can do
}

const (
	startAgain      = "Start again from your app."
	startAgainOrAsk = startAgain + " If this happens again, contact the support of your app."
)

// pageTextOf returns the text of the error page for a kind. A kind that /authorize and
// /callback never return gets the text for Internal.
func pageTextOf(kind asanaauth.ErrorKind) pageText {
	switch kind {
	case asanaauth.InvalidRequest:
		return pageText{"This link does not work", "The link that you opened is incomplete or was changed.", startAgainOrAsk}
	case asanaauth.LoginExpired:
		return pageText{"This sign-in has expired", "It took too long, was already used, or was started in another browser.", startAgain}
	case asanaauth.LinkExpired:
		return pageText{"This link has expired", "It is too old or was already used.", "Get a new link from your app, or from the person who sent it."}
	case asanaauth.AccessDenied:
		return pageText{"Access denied", "Asana did not give access, so nothing was connected.", "To connect, start again from your app and press Allow."}
	case asanaauth.WrongAccount:
		return pageText{"Wrong Asana account", "You signed in to Asana with a different account than your app expects.",
			"In Asana, sign out, and sign in with the account that your app expects. Then start again from your app."}
	case asanaauth.NotFound:
		return pageText{"Page not found", "This address has no page.", startAgain}
	case forbiddenOrigin:
		return pageText{"Request blocked", "Another website sent this request, so it was ignored.", startAgain}
	case methodNotAllowed:
		return pageText{"This page cannot be used this way", "Your browser sent a request that this page does not accept.", startAgainOrAsk}
	case payloadTooLarge:
		return pageText{"Too much data", "Your browser sent more data than this page accepts.", startAgainOrAsk}
	case unsupportedMediaType:
		return pageText{"Wrong kind of data", "Your browser sent data in a format that this page does not accept.", startAgainOrAsk}
	case asanaauth.TryAgain:
		return pageText{"Temporarily unavailable", "This service is busy, and nothing was changed.", "Wait a moment, then reload this page."}
	case asanaauth.AsanaUnavailable:
		return pageText{"Asana is not available", "Asana did not respond as expected.", "Wait a few minutes, then start again from your app."}
	case asanaauth.Misconfigured:
		return pageText{"Setup error", "This service is not set up correctly.", "Contact the support of your app and give them the request ID below."}
	}
	return pageText{"Something went wrong", "An unexpected error happened in this service.",
		"Start again from your app. If this happens again, contact the support of your app and give them the request ID below."}
}

const pageStyle = `:root{color-scheme:light dark}
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.5rem;color:#1e1f21;background:#fff}
h1{font-size:1.4rem;line-height:1.3}a{color:#1d5fc4}small{color:#5f6368}
.button{display:inline-block;padding:.6rem 1.2rem;border-radius:.4rem;color:#fff;background:#1d5fc4;text-decoration:none}
@media (prefers-color-scheme:dark){body{color:#f1f1f1;background:#1e1f21}a{color:#8ab4f8}small{color:#b0b3b8}.button{color:#1e1f21;background:#8ab4f8}}`

// fragmentScript posts the fragment of the page's URL to the path of the page, because a
// browser never sends a fragment to a server. The script first removes the fragment from
// the URL, so the code and the ID token do not stay in the browser's history. The script
// posts only the parameters of an authorization response, because a form field with the
// name "submit" would replace the method form.submit.
const fragmentScript = `(function(){
var response=location.hash.slice(1),status=document.getElementById("status");
history.replaceState(null,"",location.pathname);
if(!response){
document.title=document.querySelector("h1").textContent="Nothing to finish";
status.textContent="This page has no sign-in to finish. Start again from your app.";return;
}
var form=document.createElement("form");
form.method="post";form.action=location.pathname;form.hidden=true;
new URLSearchParams(response).forEach(function(value,name){
if(["code","state","id_token","iss","error"].indexOf(name)<0)return;
var field=document.createElement("input");
field.type="hidden";field.name=name;field.value=value;form.appendChild(field);
});
document.body.appendChild(form);
status.textContent="This takes a moment. You return to your app automatically.";
form.submit();
})();`

// showProblem writes the error page of a problem. The detail is for the app's developer,
// and the request ID is for the operator, so both are in small print.
func (p pages) showProblem(w http.ResponseWriter, failure problem) {
	text := pageTextOf(failure.Kind)
	body := "<p>" + html.EscapeString(text.happened) + "</p>\n<p>" + html.EscapeString(text.next) + "</p>\n"
	body += p.link()
	if failure.Detail != "" {
		body += "<p><small>For the developer of the app: " + html.EscapeString(failure.Detail) + "</small></p>\n"
	}
	if failure.Status >= 500 {
		body += "<p><small>For support: request ID " + html.EscapeString(failure.ID) + "</small></p>\n"
	}
	writePage(w, failure.Status, pagePolicy(), text.heading, body)
}

// showContinue writes the page that asks the person to confirm a sign-in. The button is
// a plain link, so the browser marks the navigation as one that this origin started.
func showContinue(w http.ResponseWriter, to string) {
	body := "<p>A link on another website or in an e-mail opened this page. Continue if you want to sign in with your Asana account. Otherwise, close this page.</p>\n" +
		`<p><a class="button" href="` + html.EscapeString(to) + `">Continue to Asana</a></p>` + "\n"
	writePage(w, http.StatusOK, pagePolicy(), "Sign in with Asana", body)
}

// pagePolicy returns the Content Security Policy of pages that have neither scripts nor
// forms.
func pagePolicy() string {
	return "default-src 'none'; style-src " + hashOf(pageStyle) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// showFragment writes the page that posts the fragment of its own URL to /callback. The
// page's Content Security Policy must not contain form-action. Chromium would also apply
// form-action to the redirects that follow the post, and could block the redirect to the
// app. The policy is safe without form-action, because the page contains no other form
// and no data from the request.
func (p pages) showFragment(w http.ResponseWriter) {
	body := "<p id=\"status\"></p>\n" +
		"<noscript><p>This page needs JavaScript. Turn JavaScript on, then start again from your app.</p></noscript>\n" +
		p.link() +
		"<script>" + fragmentScript + "</script>\n"
	policy := "default-src 'none'; style-src " + hashOf(pageStyle) + "; script-src " + hashOf(fragmentScript) + "; base-uri 'none'; frame-ancestors 'none'"
	writePage(w, http.StatusOK, policy, "Finishing your sign-in", body)
}

func (p pages) link() string {
	return `<p><a href="` + html.EscapeString(p.home) + `">Back to your app</a></p>` + "\n"
}

// writePage does not escape title and body. title must be a literal, and body must
// already be escaped.
func writePage(w http.ResponseWriter, status int, policy, title, body string) {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n")
	b.WriteString("<title>" + title + "</title>\n<style>" + pageStyle + "</style>\n")
	b.WriteString("<main>\n<h1>" + title + "</h1>\n" + body + "</main>\n</html>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	w.Write([]byte(b.String()))
}

// hashOf returns the source expression that allows an inline style or script with this
// text in a Content Security Policy (CSP Level 3, section 2.3.1).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
