"""Hooks for schemathesis that put valid sessions, connections and codes into requests.

By default, schemathesis sends random IDs and cookies. The responses are then always 404 or
401, so the requests test little code. These hooks put existing IDs, cookies and codes into
most requests. .ci/openapi loads this module.
"""

import itertools
import os
from urllib.parse import parse_qs, urlsplit

import requests
import schemathesis

SERVICE = os.environ["OPENAPI_SERVICE"]
ASANA = os.environ["OPENAPI_ASANA"]
BACKEND = {"Authorization": "Bearer " + os.environ["OPENAPI_KEY"]}

OWNER, LEAVING_OWNER = "schemathesis", "leaving"
MEMBER, LEAVING, SEVERAL, BOT, SERVICE_ACCOUNT = (f"120000000000000{n}" for n in (1, 2, 6, 7, 8))

turns = itertools.count()


def send(method, url, **more):
    """Sends a request and returns the response. Raises an exception if the status is an error."""
    response = requests.request(method, url, allow_redirects=False, timeout=30, **more)
    response.raise_for_status()
    return response


def consent(begin, person):
    """Signs in as person, starting at the URL begin, and gives consent at Asana.

    Returns the query parameters of the return URL, and the cookies.
    """
    begun = send("GET", begin)
    form = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    consented = send("POST", ASANA + "/-/oauth_authorize", data={**form, "person": person, "decision": "allow"})
    back = send("GET", consented.headers["Location"], cookies=begun.cookies)
    return parse_qs(urlsplit(back.headers["Location"]).query), back.cookies


def sign_in(person=SEVERAL):
    return dict(consent(SERVICE + "/authorize", person)[1])


def connect_code():
    link = send("POST", SERVICE + "/links", json={"owner": OWNER}, headers=BACKEND).json()["url"]
    return consent(link, MEMBER)[0]["connect_code"][0]


def session_code():
    headers = {"Origin": SERVICE, "Content-Type": "application/json"}
    return send("POST", SERVICE + "/session/code", cookies=sign_in(), headers=headers).json()["session_code"]


def long_lived(person):
    return send("POST", ASANA + "/_offline/tokens", json={"person": person}).json()["token"]


def connect(body):
    return send("POST", SERVICE + "/connections", json=body, headers=BACKEND).json()["id"]


def imported(person, owner=OWNER, kind="personal_access_token"):
    return connect({"token": long_lived(person), "owner": owner, "kind": kind})


class World:
    """A session and connections that all requests share. No request may end them."""

    def __init__(self):
        self.cookies = sign_in()
        self.ids = [imported(BOT), imported(SERVICE_ACCOUNT, kind="service_account"), connect({"connect_code": connect_code(), "owner": OWNER})]


world = None


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes a generated request. schemathesis calls this hook before it sends each request."""
    global world
    if world is None:
        world = World()
    turn = next(turns)
    path, method = case.operation.path, case.method.upper()
    case.headers = case.headers or {}
    security = [name for scheme in case.operation.definition.raw.get("security", []) for name in scheme]
    if "sessionCookie" in security:
        browse(case, turn, ends=(path, method) in (("/session", "DELETE"), ("/disconnect", "POST")))
    elif "local" in security:
        if turn % 10:
            case.headers.update(BACKEND)
        if method == "DELETE":
            end_others(case, turn)
        else:
            name_connection(case, turn)
        if (path, method) == ("/connections", "POST") and turn % 4 == 0:
            set_body(case, turn // 4)


def browse(case, turn, ends):
    """Adds an origin and a session to most frontend requests. If ends is true, the request ends the session."""
    if turn % 6:
        case.headers["Origin"] = SERVICE
    if ends:
        if turn % 3 == 0:
            case.cookies = sign_in(LEAVING)
    elif turn % 5:
        case.cookies = world.cookies


def name_connection(case, turn):
    """Replaces the connection ID and the owner in most backend requests with existing ones."""
    if "id" not in (case.path_parameters or {}) or turn % 4 == 0:
        return
    case.path_parameters["id"] = world.ids[turn % len(world.ids)]
    if case.query and "owner" in case.query and turn % 3:
        case.query["owner"] = OWNER


def end_others(case, turn):
    """Changes DELETE requests to end only connections that no other request needs.

    The change is necessary because schemathesis reuses ids and owners from responses.
    """
    query, path = case.query or {}, case.path_parameters or {}
    if "id" in path and (turn % 2 or path["id"] in world.ids):
        path["id"] = imported(LEAVING, LEAVING_OWNER)
    if "owner" in query and (turn % 3 or query["owner"] == OWNER):
        query["owner"] = LEAVING_OWNER
    if "asana_user" in query and (turn % 3 or query["asana_user"] in (MEMBER, SEVERAL, BOT, SERVICE_ACCOUNT)):
        query["asana_user"] = LEAVING


def set_body(case, turn):
    """Replaces the request body with one of four bodies for POST /connections."""
    makers = (
        lambda: {"connect_code": connect_code(), "owner": OWNER},
        lambda: {"session_code": session_code()},
        lambda: {"token": long_lived(BOT), "owner": OWNER, "kind": "personal_access_token"},
        lambda: {"token": "2/1/1:nobody", "owner": OWNER, "kind": "service_account"},
    )
    case.body = makers[turn % len(makers)]()
    case.media_type = "application/json"
