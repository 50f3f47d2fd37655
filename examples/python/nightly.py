"""A nightly job: something to do at Asana for every connection of many owners.

    python nightly.py owners.txt

owners.txt names an owner a line. Here the work is to ask Asana who each connection acts as.
It prints a summary as JSON, and exits with 1 where anything failed.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import sys

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from asanaauth_client import Client, Problem


@contextlib.contextmanager
def counted(counts, what):
    """One customer's trouble never ends the night of the others: it is counted, and said."""
    try:
        yield
    except Exception as error:
        if isinstance(error, Problem) and error.type == "reconnect-required":
            counts["reconnect_required"] += 1  # broken since it was listed
            return
        counts["failed"] += 1
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)


class Job:
    """asana_url is where Asana's API is; parallel is how many owners are worked for at once."""

    def __init__(self, client, asana_url, parallel):
        self.client, self.asana_url, self.parallel = client, asana_url.rstrip("/"), parallel
        self.http = URLLib3Session(timeout=(5, 30), max_pool_connections=parallel)

    def run(self, owners):
        """Does the work for all of them, so many in parallel, and counts how it went."""
        counts = collections.Counter(owners=len(owners), worked=0, refused=0, reconnect_required=0, failed=0)
        with concurrent.futures.ThreadPoolExecutor(self.parallel) as pool:
            for one in pool.map(self.one_owner, owners):
                counts.update(one)
        return dict(counts)

    def one_owner(self, owner):
        counts = collections.Counter()
        with counted(counts, owner):
            for connection in self.client.connections(owner):
                with counted(counts, f"{owner} {connection['id']}"):
                    self.work(owner, connection, counts)
        return counts

    def work(self, owner, connection, counts):
        if connection["status"] == "disconnected":
            return  # long ago: nobody expects anything
        if connection["status"] != "active":
            counts["reconnect_required"] += 1  # the person has to connect again: tell them in your app
            return
        user = self.ask_asana(owner, connection["id"], "/users/me", counts)
        if user["gid"] != connection["attributed_to"]["gid"]:
            raise ValueError("Asana says that this is somebody else's token")
        counts["worked"] += 1

    def ask_asana(self, owner, connection, path, counts):
        """Asks with the connection's token. One that Asana refuses is reported, once, and the next one tried."""
        token = self.client.token(connection, owner)["access_token"]
        answer = self.get(path, token)
        if answer.status_code == 401:
            counts["refused"] += 1
            token = self.client.token(connection, owner, refused=hashlib.sha256(token.encode()).hexdigest())["access_token"]
            answer = self.get(path, token)
        if answer.status_code != 200:
            raise ValueError(f"Asana answers {answer.status_code}")
        return json.loads(answer.content)["data"]

    def get(self, path, token):
        # Kept no longer than this request: a token is asked for whenever it is needed.
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self.http.send(AWSRequest("GET", f"{self.asana_url}/api/1.0{path}", headers=headers).prepare())


def main():
    parser = argparse.ArgumentParser(description="Asks Asana who each connection acts as.")
    parser.add_argument("owners", help="a file with an owner a line")
    parser.add_argument("--url", default=os.environ.get("ASANAAUTH_URL", "http://localhost:8484"), help="of asanaauth")
    parser.add_argument("--asana-url", default=os.environ.get("ASANA_BASE_URL", "https://app.asana.com"))
    parser.add_argument("--parallel", type=int, default=10)
    args = parser.parse_args()

    with open(args.owners, encoding="utf-8") as file:
        owners = [line.rstrip("\n") for line in file if line.strip()]
    summary = Job(Client(args.url, connections=args.parallel), args.asana_url, args.parallel).run(owners)
    print(json.dumps(summary))
    sys.exit(1 if summary["failed"] else 0)


if __name__ == "__main__":
    main()
