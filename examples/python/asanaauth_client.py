"""A client for asanaauth's backend routes.

The client signs requests with AWS SigV4. If a request fails and a later attempt may succeed, the
client repeats the request. On AWS, botocore uses the credentials of the role under which the
program runs. With "asanaauth local", use the printed backend-key as the access key ID, and the
printed backend-secret as the secret access key.
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
    """An error response from asanaauth or API Gateway.

    status is the HTTP status. type is the problem type without its prefix, such as
    "reconnect-required", or "gateway" if API Gateway itself sent the response.
    """

    def __init__(self, status, type, detail, request_id):
        super().__init__(f"{status} {type}: {detail} (request {request_id})")
        self.status, self.type = status, type


class Client:
    """A client for one deployment. Several threads can use it at once.

    url is the URL of asanaauth's API. attempts is the maximum number of times that the client
    sends a request. If the client would have to wait more than longest_wait seconds before the
    next attempt, the client does not repeat the request. connections is the size of the pool of TCP
    connections.
    """

    def __init__(self, url, attempts=6, longest_wait=30.0, connections=10):
        self.url = url.rstrip("/")
        self.attempts = attempts
        self.longest_wait = longest_wait
        session = botocore.session.Session()
        self.credentials = session.get_credentials()
        self.region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
        if self.credentials is None or not self.region:
            raise SystemExit("no AWS credentials or no region: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION")
        # A URLLib3Session does not retry requests or follow redirects. API Gateway responds within 30 s.
        self.http = URLLib3Session(timeout=(5, 35), max_pool_connections=connections)

    def link(self, owner, **more):
        """Creates a link for an owner. The other arguments can be person, return_to, scopes and asana_user."""
        return self.request("POST", "/links", {"owner": owner, **more})

    def redeem(self, connect_code, owner, person=None):
        """Redeems the connect code from the return URL. Returns the connection."""
        return self.request("POST", "/connections", {"connect_code": connect_code, "owner": owner, "person": person})

    def connections(self, owner):
        """Yields all connections of an owner, including recently disconnected connections."""
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
        """Returns an access token for Asana.

        If Asana responded to a token with 401, pass the SHA-256 of that token in hexadecimal as
        refused. asanaauth then returns a different token if it can.
        """
        body = {"refused": refused} if refused else {}
        return self.request("POST", f"/connections/{quote(connection, safe='')}/token", body, query={"owner": owner})

    def request(self, method, path, body=None, query=None):
        """Sends a request and returns the decoded JSON of the response.

        Raises Problem for an error response. Raises botocore's HTTPClientError if no response
        arrived. If asanaauth processed a request but the response was lost, a retry makes
        asanaauth process the request again. This is harmless except for a request that redeems a
        connect code: a code can be redeemed only once, so the retry fails with link-expired.
        """
        for attempt in range(1, self.attempts + 1):
            wait = min(2.0**attempt / 4, 8.0)
            try:
                response = self.send(method, path, body, query)
            except HTTPClientError:
                if attempt == self.attempts:
                    raise
            else:
                if response.status_code < 300:
                    return json.loads(response.content) if response.content else None
                problem = problem_of(response)
                if attempt == self.attempts or not may_pass(problem):
                    raise problem
                wait = max(wait, seconds(response.headers.get("Retry-After")))
                if wait > self.longest_wait:
                    raise problem
            # The random factor keeps clients that failed at the same time from retrying at the same time.
            time.sleep(wait * random.uniform(1.0, 1.5))

    def send(self, method, path, body=None, query=None):
        """Signs a request and sends it. Each attempt needs a new signature, because a signature expires after five minutes."""
        url = self.url + path
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        request = AWSRequest(method, url, headers={"Accept": "application/json"})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.headers["Content-Type"] = "application/json"
        SigV4Auth(self.credentials.get_frozen_credentials(), "execute-api", self.region).add_auth(request)
        return self.http.send(request.prepare())


def problem_of(response):
    """Returns a Problem that describes an error response.

    An error response from asanaauth contains a problem (RFC 9457). An error response from API
    Gateway contains {"message": ...}.
    """
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    kind = str(body.get("type") or "")
    kind = kind[len(PROBLEM) :] if kind.startswith(PROBLEM) else "gateway"
    detail = body.get("detail") or body.get("title") or body.get("message") or "no problem body"
    return Problem(response.status_code, kind, detail, response.headers.get("X-Request-Id") or response.headers.get("Apigw-Requestid"))


def may_pass(problem):
    """Returns whether a later attempt may succeed.

    A later attempt may succeed after a try-again problem, or if API Gateway throttled the request
    or could not reach a function.
    """
    return problem.type == "try-again" or problem.type == "gateway" and problem.status in (429, 503)


def seconds(retry_after):
    """Returns the number of seconds in a Retry-After header, or 0 if the header is missing or a date."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
