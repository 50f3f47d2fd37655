"""Makes sessions, connections and codes in a running "asanaauth local".

.ci/local sets the environment variables that this module reads. As a program, it prints
what one generated client needs to call every operation once, as JSON. Its argument is
the client's name, which becomes the owner of the connections.
"""

import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

import requests

SERVICE = os.environ["OPENAPI_SERVICE"]
ASANA = os.environ["OPENAPI_ASANA"]
KEY = os.environ["OPENAPI_KEY"]
BACKEND = {"Authorization": "Bearer " + KEY}

MEMBER, LEAVING, SEVERAL, BOT, SERVICE_ACCOUNT = (f"120000000000000{n}" for n in (1, 2, 6, 7, 8))
ACME = "1100000000000001"


def send(method, url, **more):
    """Sends a request and returns the response. Raises an exception if the status is an error."""
    response = requests.request(method, url, allow_redirects=False, timeout=30, **more)
    response.raise_for_status()
    return response


def authorize(begin, person):
    """Starts at the URL begin, and gives consent at Asana as person.

    Returns the URL of Asana's redirect to /callback, and the cookies.
    """
    begun = send("GET", begin)
    form = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    consented = send("POST", ASANA + "/-/oauth_authorize", data={**form, "person": person, "decision": "allow"})
    return consented.headers["Location"], begun.cookies


def consent(begin, person):
    """Signs in as person, starting at the URL begin.

    Returns the query parameters of the return URL, and the cookies.
    """
    callback, cookies = authorize(begin, person)
    back = send("GET", callback, cookies=cookies)
    return parse_qs(urlsplit(back.headers["Location"]).query), back.cookies


def sign_in(person=SEVERAL):
    return dict(consent(SERVICE + "/authorize", person)[1])


def connect_code(owner):
    link = send("POST", SERVICE + "/links", json={"owner": owner}, headers=BACKEND).json()["url"]
    return consent(link, MEMBER)[0]["connect_code"][0]


def session_code():
    headers = {"Origin": SERVICE}
    return send("POST", SERVICE + "/session/code", cookies=sign_in(), headers=headers).json()["session_code"]


def long_lived(person):
    return send("POST", ASANA + "/_offline/tokens", json={"person": person}).json()["token"]


def connect(body):
    return send("POST", SERVICE + "/connections", json=body, headers=BACKEND).json()["id"]


def imported(person, owner, kind="personal_access_token"):
    return connect({"token": long_lived(person), "owner": owner, "kind": kind})


def header(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def attempt():
    callback, cookies = authorize(SERVICE + "/authorize", MEMBER)
    query = parse_qs(urlsplit(callback).query)
    return {"cookie": header(dict(cookies)), "code": query["code"][0], "state": query["state"][0]}


def world(name):
    """Returns what a client needs to call every operation once."""
    imported(BOT, "leaving " + name)
    return {
        "service": SERVICE,
        "key": KEY,
        "owner": name,
        "workspace": ACME,
        "session": header(sign_in(SEVERAL)),
        "signing_out": header(sign_in(MEMBER)),
        "leaving": header(sign_in(LEAVING)),
        "attempt": attempt(),
        "posted": attempt(),
        "connect_code": connect_code(name),
        "reader": imported(SERVICE_ACCOUNT, name, "service_account"),
        "ending": imported(BOT, name),
        "ending_owner": "leaving " + name,
    }


if __name__ == "__main__":
    json.dump(world(sys.argv[1]), sys.stdout)
