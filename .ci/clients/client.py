"""Calls every operation with a Python client that openapi-generator has generated."""

import json
import sys

import urllib3

import asanaauth
from asanaauth import BackendApi, BrowserApi, FrontendApi

with open(sys.argv[1]) as f:
    world = json.load(f)
service, key, owner, workspace = (world[name] for name in ("service", "key", "owner", "workspace"))

configuration = asanaauth.Configuration(host=service, access_token=key)
configuration.retries = urllib3.Retry(redirect=False)
client = asanaauth.ApiClient(configuration)
browser, frontend, backend = BrowserApi(client), FrontendApi(client), BackendApi(client)


def called(operation, ok, got):
    if not ok:
        sys.exit(f"{operation}: got {got!r}")
    print(operation)


def redirect(call, **parameters):
    """Returns the location to which an operation redirects. The client raises an exception for it."""
    try:
        return call(**parameters)
    except asanaauth.ApiException as problem:
        return problem.headers.get("Location") if problem.status == 303 else problem


def cookie(name):
    return {"Cookie": name}


def redirects(call, attempt):
    return redirect(call, code=attempt["code"], state=attempt["state"], _headers=cookie(attempt["cookie"]))


got = redirect(browser.authorize, app_state="s")
called("authorize", "oauth_authorize" in str(got), got)
got = browser.authorize_head_with_http_info()
called("authorizeHead", got.status_code == 204, got)
got = browser.callback_head_with_http_info()
called("callbackHead", got.status_code == 204, got)
got = redirects(browser.callback, world["attempt"])
called("callback", "asana=connected" in str(got), got)
got = redirects(browser.callback_post, world["posted"])
called("callbackPost", "asana=connected" in str(got), got)

session = {"origin": service, "_headers": cookie(world["session"])}
got = frontend.get_session(**session)
called("getSession", got.status == asanaauth.Status.ACTIVE, got)
got = frontend.make_session_code(**session)
called("makeSessionCode", got.session_code, got)
got = frontend.refresh(token_request=asanaauth.TokenRequest(min_ttl=600), **session)
called("refresh", got.expires_in >= 600, got)
got = frontend.membership(**session)
called("membership", len(got.actual_instance.data) == 2, got)
got = frontend.sign_out_with_http_info(origin=service, sign_out_request=asanaauth.SignOutRequest(everywhere=True), _headers=cookie(world["signing_out"]))
called("signOut", got.status_code == 204, got)
got = frontend.disconnect(origin=service, _headers=cookie(world["leaving"]))
called("disconnect", got.status == "disconnected", got)

got = backend.create_link(asanaauth.LinkRequest(owner=owner))
called("createLink", got.url.startswith(service), got)
code = asanaauth.RedeemConnectCode(connect_code=world["connect_code"], owner=owner)
connection = backend.connect(asanaauth.ConnectRequest(code))
called("connect", connection.attributed_to.gid, connection)
got = backend.list_connections(owner=owner, limit=2)
called("listConnections", len(got.data) == 2 and got.next_cursor, got)
got = backend.show_connection(connection.id, owner=owner)
called("showConnection", got.id == connection.id and got.status_reason is None, got)
got = backend.connection_token(connection.id)
called("connectionToken", got.access_token, got)
got = backend.capabilities(connection.id)
called("capabilities", got.active and got.workspaces, got)
got = backend.connection_membership(connection.id, workspace=workspace)
called("connectionMembership", got.actual_instance.workspace.gid == workspace, got)
got = backend.set_reader_of(world["reader"], asanaauth.ReaderOf(reader_of=[workspace], replace=True))
called("setReaderOf", got.reader_of == [workspace], got)
got = backend.end_sessions_with_http_info(connection.id, owner=owner)
called("endSessions", got.status_code == 204, got)
got = backend.end_connection(world["ending"])
called("endConnection", not got.revoked_at_asana, got)
got = backend.end_connections(owner=world["ending_owner"])
called("endConnections", got.disconnected == 1, got)
