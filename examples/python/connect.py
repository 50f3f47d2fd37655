"""Connects one account of a SaaS app with Asana: makes a link, and redeems what comes back.

    python connect.py --owner acme --person 4711

This is the app: a web server on loopback whose /connect sends the person to Asana and whose
return URL gets the code. The return URL has to be one of asanaauth's RETURN_URLS.
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
    """The SaaS app. Everybody who opens /connect is signed in as the one account there is."""

    daemon_threads = True

    def __init__(self, client, return_url, owner, person):
        at = urlsplit(return_url)
        super().__init__(("127.0.0.1", at.port), Page)
        self.client, self.return_url, self.return_path = client, return_url, at.path
        self.account = {"owner": owner, "person": person}
        self.sessions = {}  # of the app's own: secret of a browser → who is signed in there
        self.connection = None

    def connected(self, connection):
        self.connection = connection
        threading.Thread(target=self.shutdown).start()  # it waits for serve_forever, which must not wait for us


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        try:
            if url.path == "/connect":
                self.connect()
            elif url.path == self.server.return_path:
                self.come_back({name: values[0] for name, values in parse_qs(url.query).items()})
            else:
                self.show(404, "There is no such page.")
        except Problem as problem:
            self.show(problem.status, f"Asana was not connected: {problem.type}.")
        except HTTPClientError:
            self.show(502, "Asana was not connected: asanaauth does not answer.")

    def connect(self):
        """A signed-in person pressed "Connect Asana": make a link for them, and for nobody else."""
        session = secrets.token_urlsafe(32)
        self.server.sessions[session] = self.server.account
        link = self.server.client.link(return_to=self.server.return_url, **self.server.account)
        self.send_response(303)
        self.send_header("Location", link["url"])
        # Lax: it has to be there when Asana sends the browser back.
        self.send_header("Set-Cookie", f"{COOKIE}={session}; HttpOnly; SameSite=Lax; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def come_back(self, query):
        """The browser is back. Who it is says the app's own session, never the URL: a link that was
        sent on to somebody else ends here, in a browser that nobody is signed in with."""
        cookie = SimpleCookie(self.headers.get("Cookie")).get(COOKIE)
        account = self.server.sessions.get(cookie.value) if cookie else None
        if account is None:
            return self.show(403, "Nobody is signed in here.")
        if "connect_code" not in query:
            return self.show(400, f"Asana was not connected: {query.get('asana_error', 'no code came back')}.")
        connection = self.server.client.redeem(query["connect_code"], **account)
        # Say whose account it is before it is used, and end the connection if the person says no:
        # a silent consent brings the wrong one, and so does whoever got hold of the link.
        self.show(200, f"Connected as {connection['attributed_to']['name']}. You can close this page.")
        self.server.connected(connection)

    def show(self, status, text):
        page = f"<!doctype html><title>Example app</title><p>{html.escape(text)}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Referrer-Policy", "no-referrer")  # the code is in this page's address
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format, *args):
        """Nothing: request lines have the code in them."""


def main():
    parser = argparse.ArgumentParser(description="Connects one account with Asana.")
    parser.add_argument("--url", default=os.environ.get("ASANAAUTH_URL", "http://localhost:8484"), help="of asanaauth")
    parser.add_argument("--owner", required=True, help="the app's own name for the customer")
    parser.add_argument("--person", help="the app's own name for who is signed in, where a customer is more than one human")
    parser.add_argument("--return-url", default="http://localhost:3000/done", help="on this machine, and one of RETURN_URLS")
    args = parser.parse_args()

    app = App(Client(args.url), args.return_url, args.owner, args.person)
    at = urlsplit(args.return_url)
    print(f"open {at.scheme}://{at.netloc}/connect", flush=True)
    with app:
        app.serve_forever(poll_interval=0.1)
    print(json.dumps(app.connection, indent=2))


if __name__ == "__main__":
    main()
