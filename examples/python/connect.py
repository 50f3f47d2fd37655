"""An example of a SaaS app that connects a person's Asana account.

    python connect.py --owner acme --person 4711

The app is a web server on this machine. The page /connect creates a link and redirects the
person to the link. The page at the return URL redeems the connect code. The return URL must be in
asanaauth's RETURN_URLS.
"""

import argparse
import html
import json
import os
import secrets
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import HTTPClientError

from asanaauth_client import Client, Problem

COOKIE = "example_session"


class App(ThreadingHTTPServer):
    """The SaaS app, which has one account and signs in anyone who opens /connect."""

    daemon_threads = True

    def __init__(self, client, return_url, owner, person):
        at = urlsplit(return_url)
        super().__init__(("127.0.0.1", at.port), Page)
        self.client, self.return_url, self.return_path = client, return_url, at.path
        self.account = {"owner": owner, "person": person}
        self.sessions = {}  # the app's own sessions: maps the value of a cookie to an account
        self.connection = None

    def connected(self, connection):
        """Stores the connection and stops the server."""
        self.connection = connection
        # shutdown blocks until serve_forever returns, so it must run in another thread.
        threading.Thread(target=self.shutdown).start()


class Page(BaseHTTPRequestHandler):
    """Serves the pages of the app."""

    def do_GET(self):
        url = urlsplit(self.path)
        try:
            if url.path == "/connect":
                self.connect()
            elif url.path == self.server.return_path:
                self.handle_return({name: values[0] for name, values in parse_qs(url.query).items()})
            else:
                self.show(404, "Page not found.")
        except Problem as problem:
            self.show(problem.status, f"Asana was not connected: {problem.type}.")
        except HTTPClientError:
            self.show(502, "Asana was not connected: asanaauth did not respond. Try again later.")

    def connect(self):
        """Creates a link for the person who is signed in. Redirects the browser to the link."""
        session = secrets.token_urlsafe(32)
        self.server.sessions[session] = self.server.account
        link = self.server.client.link(return_to=self.server.return_url, **self.server.account)
        self.send_response(303)
        self.send_header("Location", link["url"])
        # With SameSite=Strict, the browser would not send the cookie after the redirect from Asana.
        self.send_header("Set-Cookie", f"{COOKIE}={session}; HttpOnly; SameSite=Lax; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle_return(self, query):
        """Handles the redirect to the return URL.

        The owner and the person come from the app's own session, never from the URL. If a
        stranger opened the link, the stranger's browser has no session with this app, so the app
        does not redeem the code.
        """
        cookie = SimpleCookie(self.headers.get("Cookie")).get(COOKIE)
        account = self.server.sessions.get(cookie.value) if cookie else None
        if account is None:
            return self.show(403, "You are not signed in. Sign in to the app and connect again.")
        if "connect_code" not in query:
            return self.show(400, f"Asana was not connected: {query.get('asana_error', 'no code came back')}.")
        connection = self.server.client.redeem(query["connect_code"], **account)
        # Show the name of the Asana user. A real app should ask for confirmation before it uses
        # the connection, because the browser may have been signed in to another Asana account.
        self.show(200, f"Connected as {connection['attributed_to']['name']}. You can close this page.")
        self.server.connected(connection)

    def show(self, status, text):
        """Sends a page with one paragraph."""
        page = f"<!doctype html><title>Example app</title><p>{html.escape(text)}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Referrer-Policy", "no-referrer")  # the URL of the page contains the code
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format, *args):
        """Logs nothing, because request lines contain the code."""


def main():
    parser = argparse.ArgumentParser(description="Connects one account with Asana.")
    parser.add_argument("--url", default=os.environ.get("ASANAAUTH_URL", "http://localhost:8484"), help="address of asanaauth (default: ASANAAUTH_URL, or http://localhost:8484)")
    parser.add_argument("--owner", required=True, help="the app's own name for the customer")
    parser.add_argument("--person", help="the app's own name for the person, if a customer has several")
    parser.add_argument("--return-url", default="http://localhost:3000/done", help="a URL on this machine that is in RETURN_URLS (default: %(default)s)")
    args = parser.parse_args()

    app = App(Client(args.url), args.return_url, args.owner, args.person)
    at = urlsplit(args.return_url)
    print(f"open {at.scheme}://{at.netloc}/connect", flush=True)
    with app:
        app.serve_forever(poll_interval=0.1)
    print(json.dumps(app.connection, indent=2))


if __name__ == "__main__":
    main()
