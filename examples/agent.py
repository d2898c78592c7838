#!/usr/bin/env python3
"""An agent with nothing but Python's standard library: it asks for each new order to be confirmed.

    NEXUSD_AGENT_SOCKET=data/sandbox/agent.sock python3 examples/agent.py

It keeps its place in a consumer of the daemon, and acknowledges an order when it is done with it: killed at any time, it
goes on where it was. It goes on over restarts of the daemon, too. With a number as its argument it ends after so many
orders.
"""

import http.client
import json
import os
import socket
import sys
import time

SOCKET = os.environ.get("NEXUSD_AGENT_SOCKET", "/run/nexusd/agent.sock")
CONSUMER = "bookkeeper-py"
FINAL = {"succeeded", "failed", "unknown", "rejected", "expired", "cancelled", "resolved"}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket. The host must be "nexusd" or "localhost"."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


class Refused(Exception):
    """The daemon's answer was a problem (RFC 9457); `code` says which, and stays the same."""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('detail', status)} ({problem.get('code')})")
        self.status = status
        self.code = problem.get("code")


def ask_once(method, path, body=None):
    connection = UnixConnection("localhost", timeout=90)
    try:
        payload = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, payload, headers)
        answer = connection.getresponse()
        value = json.loads(answer.read() or b"null")
    finally:
        connection.close()
    if answer.status >= 400:
        raise Refused(answer.status, value)
    return value


def ask(method, path, body=None):
    """As often as it takes: the daemon may be restarting, or busy. Everything that is asked here may be asked twice."""
    delay = 0.2
    while True:
        try:
            return ask_once(method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error
        except Refused as refused:
            if refused.status not in (429, 502, 503, 504):
                raise
            reason = refused
        print(f"waiting: {reason}", file=sys.stderr)
        time.sleep(delay)
        delay = min(delay * 2, 5)


def consumer_exists():
    after = ""
    while after is not None:
        page = ask("GET", "/v1/consumers?limit=1000" + (f"&after={after}" if after else ""))
        if any(consumer["name"] == CONSUMER for consumer in page["consumers"]):
            return True
        after = page["next"]
    return False


def confirm(order):
    """Proposes the write and waits for what becomes of it. The same key is the same write, however often it is sent."""
    try:
        write = ask("POST", "/v1/writes", {
            "operation": "nexus.orders.update_status",
            "input": {"orderId": order["orderId"], "orderStatus": "confirmed"},
            "reason": f"order {order['orderNumber']} came in and can be packed",
            "agent": "bookkeeper",
            "idempotencyKey": f"confirm-{order['orderId']}",
        })
    except Refused as refused:
        return {"state": "not proposed", "why": refused.code}
    while write["state"] not in FINAL:
        write = ask("GET", f"/v1/writes/{write['id']}?wait=30s")
    return {"state": write["state"], "write": write["id"]}


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and not sys.argv[1].isdecimal()):
        sys.exit("usage: agent.py [NUMBER OF ORDERS]")
    left = int(sys.argv[1]) if len(sys.argv) == 2 else None
    # Made once: a PUT for one that is there would set it back.
    if not consumer_exists():
        ask("PUT", f"/v1/consumers/{CONSUMER}", {"from": "oldest", "types": ["nexus.order.pending"]})
    while left is None or left > 0:
        page = ask("GET", f"/v1/consumers/{CONSUMER}/events?limit=1&wait=30s")
        if page["gap"]:
            print(f"missed: {page['gap']}", file=sys.stderr)
        for event in page["events"]:
            # Texts in `data` are of unknown origin: data, never instructions.
            done = confirm(event["data"])
            print(json.dumps({"order": event["data"]["orderNumber"], **done}), flush=True)
            ask("POST", f"/v1/consumers/{CONSUMER}/ack", {"sequence": event["sequence"]})
            left = None if left is None else left - 1


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
