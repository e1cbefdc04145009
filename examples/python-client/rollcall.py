"""A client of `rollcall serve`, with nothing but Python's standard library (3.9 and later).

    session = Session.open("http://127.0.0.1:4780")
    session.register("printer", meta={"floor": 2})
    session.join("printers")
    for event in session.events():
        print(event["kind"], event.get("message"))

The session lives for as long as its events are read, or something is asked of it every `ttl` seconds.
When the program is killed, its names and memberships are gone everywhere after at most that time.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Iterator, Optional
from urllib.parse import quote

#: The server says every 15 seconds that it is still there: one that says nothing for longer is not.
SILENCE_SECONDS = 45
#: How long to wait before asking again for the events of a session whose server does not answer.
RETRY_SECONDS = 1.0


class Problem(Exception):
    """What the service refuses, and why: `code` is stable, the text is not."""

    def __init__(self, status: int, body: Dict[str, Any]) -> None:
        super().__init__(body.get("detail") or f"HTTP status {status}")
        self.status = status
        self.code: str = body.get("code", "UNKNOWN")
        self.body = body


class Client:
    """Reads of the cluster, and messages to it."""

    def __init__(self, url: str, token: Optional[str] = None) -> None:
        self.url = url.rstrip("/")
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 30) -> Dict[str, Any]:
        request = self.request(method, path)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise problem_of(error) from None

    def request(self, method: str, path: str) -> urllib.request.Request:
        request = urllib.request.Request(self.url + path, method=method)
        if self.token is not None:
            request.add_header("authorization", f"Bearer {self.token}")
        return request

    def whereis(self, name: str) -> Optional[Dict[str, Any]]:
        """The holder of an available name, as the node behind the service knows it."""
        return self._or_none("/v1/names/" + part(name))

    def lookup(self, name: str) -> Optional[Dict[str, Any]]:
        """The holder of a strict name: a majority of the lease servers says so."""
        return self._or_none("/v1/strict-names/" + part(name))

    def publish(self, group: str, message: Any) -> int:
        """Sends a message to every member of a group. Returns how many there are."""
        return self.ask("POST", f"/v1/groups/{part(group)}/publish", {"message": message})["members"]

    def send(self, to: Dict[str, str], message: Any) -> None:
        """`to` is {"name": …}, {"strictName": …} or {"pid": …}."""
        self.ask("POST", "/v1/send", {"to": to, "message": message})

    def call(self, to: Dict[str, str], message: Any, timeout: float = 5) -> Any:
        body = {"to": to, "message": message, "timeoutMs": int(timeout * 1000)}
        return self.ask("POST", "/v1/call", body, timeout=timeout + 5)["result"]

    def _or_none(self, path: str) -> Optional[Dict[str, Any]]:
        try:
            return self.ask("GET", path)
        except Problem as problem:
            if problem.code == "NO_SUCH_NAME":
                return None
            raise


class Session:
    """A process of the cluster that this program has."""

    def __init__(self, client: Client, id: str, pid: str) -> None:
        self.client = client
        self.id = id
        self.pid = pid
        self._last_id: Optional[str] = None

    @classmethod
    def open(cls, url: str, ttl: float = 10, token: Optional[str] = None) -> "Session":
        client = Client(url, token)
        opened = client.ask("POST", "/v1/sessions", {"ttlMs": int(ttl * 1000)})
        return cls(client, opened["session"], opened["pid"])

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Gives everything back at once. Does nothing when the session, or its server, is gone already."""
        try:
            self._ask("DELETE", "")
        except OSError:
            pass
        except Problem as problem:
            if problem.code != "NO_SUCH_SESSION":
                raise

    def register(self, name: str, meta: Any = None) -> None:
        """Takes an available name. Problem NAME_TAKEN when somebody holds it."""
        self._ask("PUT", "/names/" + part(name), {"meta": meta})

    def register_strict(self, name: str, meta: Any = None, wait: float = 0) -> int:
        """Takes a strict name, standing in line for up to `wait` seconds. Returns the fencing token."""
        body = {"meta": meta}
        if wait > 0:
            body.update(wait=True, timeoutMs=int(wait * 1000))
        return int(self._ask("PUT", "/strict-names/" + part(name), body, timeout=wait + 30)["token"])

    def release(self, name: str) -> None:
        self._ask("DELETE", "/names/" + part(name))

    def release_strict(self, name: str) -> None:
        self._ask("DELETE", "/strict-names/" + part(name))

    def join(self, group: str, meta: Any = None) -> None:
        self._ask("PUT", "/groups/" + part(group), {"meta": meta})

    def leave(self, group: str) -> None:
        self._ask("DELETE", "/groups/" + part(group))

    def monitor(self, **target: str) -> str:
        """Of name=…, pid=… or node=…: an event of kind `down` tells, once, when it dies."""
        return self._ask("POST", "/monitors", {"target": target})["monitor"]

    def reply(self, event: Dict[str, Any], result: Any) -> None:
        """Answers an event of kind `call`."""
        self._ask("POST", "/replies", {"call": event["call"], "result": result})

    def events(self) -> Iterator[Dict[str, Any]]:
        """What the session is told, until it ends. Comes back by itself when the connection breaks."""
        while True:
            try:
                for event in self._stream():
                    yield event
                    if event["kind"] == "ended":
                        return
            except Problem as problem:
                if problem.code == "NO_SUCH_SESSION":
                    return
                raise
            except OSError:
                time.sleep(RETRY_SECONDS)

    def _stream(self) -> Iterator[Dict[str, Any]]:
        request = self.client.request("GET", f"/v1/sessions/{self.id}/events")
        request.add_header("accept", "text/event-stream")
        if self._last_id is not None:
            request.add_header("last-event-id", self._last_id)
        try:
            with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as response:
                for line in response:
                    if line.startswith(b"id: "):
                        self._last_id = line[4:].strip().decode()
                    elif line.startswith(b"data: "):
                        event = json.loads(line[6:])
                        # `replaced`: somebody else reads this session now.
                        if "kind" not in event:
                            raise Problem(409, {"code": "REPLACED", "detail": "another reader took the session"})
                        yield event
        except urllib.error.HTTPError as error:
            raise problem_of(error) from None

    def _ask(self, method: str, path: str, body: Any = None, timeout: float = 30) -> Dict[str, Any]:
        return self.client.ask(method, f"/v1/sessions/{self.id}{path}", body, timeout)


def part(text: str) -> str:
    """As it stands in a path: names may hold slashes and anything else."""
    return quote(text, safe="")


def problem_of(error: urllib.error.HTTPError) -> Problem:
    with error:
        try:
            return Problem(error.code, json.load(error))
        except ValueError:
            return Problem(error.code, {})
