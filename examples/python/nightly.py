"""An example of a nightly job that calls Asana for every connection of many owners.

    python nightly.py owners.txt

Each line of owners.txt contains one owner. For each connection, the job asks Asana which user the
token belongs to. At the end, the job prints a summary as JSON. The exit status is 1 if the job
failed for an owner or a connection.
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
    """Catches an exception, so that the job continues with the other connections.

    The exception is counted as reconnect_required or failed. If it is counted as failed, it is
    also printed.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Problem) and error.type == "reconnect-required":
            counts["reconnect_required"] += 1  # the connection became broken after it was listed
            return
        counts["failed"] += 1
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)


class Job:
    """Processes up to `parallel` owners at once. asana_url is Asana's origin."""

    def __init__(self, client, asana_url, parallel):
        self.client, self.asana_url, self.parallel = client, asana_url.rstrip("/"), parallel
        self.http = URLLib3Session(timeout=(5, 30), max_pool_connections=parallel)

    def run(self, owners):
        """Processes all owners. Returns the summary, which maps the name of each count to a number."""
        counts = collections.Counter(owners=len(owners), worked=0, refused=0, reconnect_required=0, failed=0)
        with concurrent.futures.ThreadPoolExecutor(self.parallel) as pool:
            for one in pool.map(self.process_owner, owners):
                counts.update(one)
        return dict(counts)

    def process_owner(self, owner):
        """Processes the connections of one owner. Returns the counts for this owner."""
        counts = collections.Counter()
        with counted(counts, owner):
            for connection in self.client.connections(owner):
                with counted(counts, f"{owner} {connection['id']}"):
                    self.process_connection(owner, connection, counts)
        return counts

    def process_connection(self, owner, connection, counts):
        """Checks that the token of one connection belongs to the Asana user of the connection."""
        if connection["status"] == "disconnected":
            return
        if connection["status"] != "active":
            counts["reconnect_required"] += 1  # a real app asks the person to connect again
            return
        user = self.get_from_asana(owner, connection["id"], "/users/me", counts)
        if user["gid"] != connection["attributed_to"]["gid"]:
            raise ValueError("the token and the connection belong to different Asana users")
        counts["worked"] += 1

    def get_from_asana(self, owner, connection, path, counts):
        """Sends a GET request to Asana and returns the field "data" of the response.

        If Asana responds with 401, this method reports the token to asanaauth and repeats the
        request once with the token that asanaauth returns.
        """
        token = self.client.token(connection, owner)["access_token"]
        response = self.get(path, token)
        if response.status_code == 401:
            counts["refused"] += 1
            token = self.client.token(connection, owner, refused=hashlib.sha256(token.encode()).hexdigest())["access_token"]
            response = self.get(path, token)
        if response.status_code != 200:
            raise ValueError(f"Asana responded with {response.status_code}")
        return json.loads(response.content)["data"]

    def get(self, path, token):
        # Do not store tokens. asanaauth returns a valid token whenever the job needs one.
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self.http.send(AWSRequest("GET", f"{self.asana_url}/api/1.0{path}", headers=headers).prepare())


def main():
    parser = argparse.ArgumentParser(description="Asks Asana which user each connection belongs to.")
    parser.add_argument("owners", help="a file with one owner on each line")
    parser.add_argument("--url", default=os.environ.get("ASANAAUTH_URL", "http://localhost:8484"), help="address of asanaauth (default: ASANAAUTH_URL, or http://localhost:8484)")
    parser.add_argument("--asana-url", default=os.environ.get("ASANA_BASE_URL", "https://app.asana.com"),
                        help="Asana's origin (default: ASANA_BASE_URL, or https://app.asana.com)")
    parser.add_argument("--parallel", type=int, default=10, help="number of owners processed at once (default: %(default)s)")
    args = parser.parse_args()

    with open(args.owners, encoding="utf-8") as file:
        owners = [line.rstrip("\n") for line in file if line.strip()]
    summary = Job(Client(args.url, connections=args.parallel), args.asana_url, args.parallel).run(owners)
    print(json.dumps(summary))
    sys.exit(1 if summary["failed"] else 0)


if __name__ == "__main__":
    main()
