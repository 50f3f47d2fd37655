"""A client of asanaauth's backend routes: requests signed with SigV4, tried again where that helps.

On AWS the credentials are those of the role that the program runs under. Against
"asanaauth local" the backend key is the access key id, and the secret can be anything:
signatures are not checked there.
"""

import json
import os
import random
import time
from urllib.parse import quote, urlencode

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

PROBLEM = "urn:asanaauth:problem:"


class Problem(Exception):
    """What asanaauth answered in place of what was asked for.

    type is the problem type without its prefix, like "reconnect-required"; "gateway" where
    it was not asanaauth that answered but API Gateway, which knows no problems.
    """

    def __init__(self, status, type, detail, request_id):
        super().__init__(f"{status} {type}: {detail} (request {request_id})")
        self.status, self.type = status, type


class Client:
    """Safe for use by several threads."""

    def __init__(self, url, attempts=6, longest_wait=30.0, connections=10):
        self.url = url.rstrip("/")
        self.attempts = attempts
        self.longest_wait = longest_wait
        session = botocore.session.Session()
        self.credentials = session.get_credentials()
        self.region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
        if self.credentials is None or not self.region:
            raise SystemExit("no AWS credentials or no region: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION")
        # It follows no redirect and tries nothing again by itself. A request takes 30 s at most.
        self.http = URLLib3Session(timeout=(5, 35), max_pool_connections=connections)

    def link(self, owner, **more):
        """Makes a link for one owner; more is person, return_to, scopes, asana_user."""
        return self.request("POST", "/links", {"owner": owner, **more})

    def redeem(self, connect_code, owner, person=None):
        """Turns the code that came to the return URL into a connection."""
        return self.request("POST", "/connections", {"connect_code": connect_code, "owner": owner, "person": person})

    def connections(self, owner):
        """Yields all connections of an owner, those that ended a while ago included."""
        cursor = None
        while True:
            query = {"owner": owner, "limit": 100}
            if cursor:
                query["cursor"] = cursor
            page = self.request("GET", "/connections", query=query)
            yield from page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def token(self, connection, owner, refused=None):
        """A token to call Asana with. refused is the SHA-256 of one that Asana answered with 401, in hex."""
        body = {"refused": refused} if refused else {}
        return self.request("POST", f"/connections/{quote(connection, safe='')}/token", body, query={"owner": owner})

    def request(self, method, path, body=None, query=None):
        """Sends a request and returns the JSON of the answer; raises Problem, or botocore's HTTPClientError.

        What is tried again may have been done before, with the answer lost on its way. That
        does no harm, but for codes: they are single use, and the second try says link-expired.
        """
        for attempt in range(1, self.attempts + 1):
            wait = min(2.0**attempt / 4, 8.0)
            try:
                answer = self.send(method, path, body, query)
            except HTTPClientError:
                if attempt == self.attempts:
                    raise
            else:
                if answer.status_code < 300:
                    return json.loads(answer.content) if answer.content else None
                problem = problem_of(answer)
                if attempt == self.attempts or not may_pass(problem):
                    raise problem
                wait = max(wait, seconds(answer.headers.get("Retry-After")))
                if wait > self.longest_wait:
                    raise problem
            # Jitter: or those who were turned away together come back together.
            time.sleep(wait * random.uniform(1.0, 1.5))

    def send(self, method, path, body=None, query=None):
        """Signs a request, at each try anew (a signature is good for five minutes), and sends it."""
        url = self.url + path
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        request = AWSRequest(method, url, headers={"Accept": "application/json"})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.headers["Content-Type"] = "application/json"
        SigV4Auth(self.credentials.get_frozen_credentials(), "execute-api", self.region).add_auth(request)
        return self.http.send(request.prepare())


def problem_of(answer):
    """Reads a problem (RFC 9457), or what API Gateway answers in its place: {"message": ...}."""
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    kind = str(body.get("type") or "")
    kind = kind[len(PROBLEM) :] if kind.startswith(PROBLEM) else "gateway"
    detail = body.get("detail") or body.get("title") or body.get("message") or "no problem body"
    return Problem(answer.status_code, kind, detail, answer.headers.get("X-Request-Id") or answer.headers.get("Apigw-Requestid"))


def may_pass(problem):
    """Tells what waiting helps: asanaauth says so, or the gateway throttles or could not reach a function."""
    return problem.type == "try-again" or problem.type == "gateway" and problem.status in (429, 503)


def seconds(retry_after):
    """Retry-After as asanaauth sends it; 0 for none, and for a date, which it never sends."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
