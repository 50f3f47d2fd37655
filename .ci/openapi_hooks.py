"""Hooks for schemathesis that put valid sessions, connections and codes into requests.

By default, schemathesis sends random IDs and cookies. The responses are then always 404 or
401, so the requests test little code. These hooks put existing IDs, cookies and codes into
most requests. .ci/openapi loads this module.
"""

import itertools

import schemathesis

from world import BACKEND, BOT, LEAVING, MEMBER, SERVICE, SERVICE_ACCOUNT, SEVERAL, connect, connect_code, imported, long_lived, session_code, sign_in

OWNER, LEAVING_OWNER = "schemathesis", "leaving"

turns = itertools.count()


class World:
    """A session and connections that all requests share. No request may end them."""

    def __init__(self):
        self.cookies = sign_in()
        self.ids = [imported(BOT, OWNER), imported(SERVICE_ACCOUNT, OWNER, "service_account"), connect({"connect_code": connect_code(OWNER), "owner": OWNER})]


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
        lambda: {"connect_code": connect_code(OWNER), "owner": OWNER},
        lambda: {"session_code": session_code()},
        lambda: {"token": long_lived(BOT), "owner": OWNER, "kind": "personal_access_token"},
        lambda: {"token": "2/1/1:nobody", "owner": OWNER, "kind": "service_account"},
    )
    case.body = makers[turn % len(makers)]()
    case.media_type = "application/json"
