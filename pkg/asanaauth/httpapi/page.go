package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strings"
)

// pages are what people see of us. They have no template: each is fixed text,
// an escaped link and, where something is ours to mend, the request's id.
type pages struct {
	home string // where the link goes: the first return URL
}

const pageStyle = `:root{color-scheme:light dark}
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.5rem;color:#1e1f21;background:#fff}
h1{font-size:1.4rem;line-height:1.3}a{color:#1d5fc4}small{color:#5f6368}
@media (prefers-color-scheme:dark){body{color:#f1f1f1;background:#1e1f21}a{color:#8ab4f8}small{color:#b0b3b8}}`

// fragmentScript posts what Asana put behind the # to the route that the page
// came from: a server never sees a fragment. The page's own URL is cleared
// first, so that code and ID token stay in no history. Other names than those
// of an answer are left out; a field called "submit" would hide the method.
const fragmentScript = `(function(){
var answer=location.hash.slice(1);
history.replaceState(null,"",location.pathname);
if(!answer)return;
var form=document.createElement("form");
form.method="post";form.action=location.pathname;form.hidden=true;
new URLSearchParams(answer).forEach(function(value,name){
if(["code","state","id_token","iss","error"].indexOf(name)<0)return;
var field=document.createElement("input");
field.type="hidden";field.name=name;field.value=value;form.appendChild(field);
});
document.body.appendChild(form);
document.getElementById("said").textContent="One moment…";
form.submit();
})();`

// showProblem shows a failure to a person.
func (p pages) showProblem(w http.ResponseWriter, failure problem) {
	body := "<p>" + html.EscapeString(failure.told) + "</p>\n"
	if failure.Detail != "" {
		body += "<p>" + html.EscapeString(failure.Detail) + "</p>\n"
	}
	body += p.link("Back")
	if failure.Status >= 500 {
		body += "<p><small>Request " + html.EscapeString(failure.ID) + "</small></p>\n"
	}
	policy := "default-src 'none'; style-src " + hashOf(pageStyle) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	writePage(w, failure.Status, policy, failure.Title, body)
}

// showFragment is the page that posts a fragment back. Its policy names no
// form-action: Chromium holds the redirects that follow a form's post to it,
// and where the app sends its people on from the return URL is not ours to
// know. The page has no form but the script's, and nothing of the request.
func (p pages) showFragment(w http.ResponseWriter) {
	body := "<p id=\"said\">There is nothing to finish here.</p>\n" +
		"<noscript><p>This step needs JavaScript. Please switch it on and start again.</p></noscript>\n" +
		p.link("Back") +
		"<script>" + fragmentScript + "</script>\n"
	policy := "default-src 'none'; style-src " + hashOf(pageStyle) + "; script-src " + hashOf(fragmentScript) + "; base-uri 'none'; frame-ancestors 'none'"
	writePage(w, http.StatusOK, policy, "Coming back from Asana", body)
}

func (p pages) link(text string) string {
	return `<p><a href="` + html.EscapeString(p.home) + `">` + text + "</a></p>\n"
}

// writePage writes a page; title is ours, body is escaped.
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

// hashOf names an inline style or script in a policy (CSP Level 3, section 2.3.1).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
