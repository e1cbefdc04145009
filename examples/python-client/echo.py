"""Registers a name, joins a group, prints what it hears, and answers calls with what it was asked.

    python3 echo.py [--url http://127.0.0.1:4780] NAME GROUP
"""

import argparse
import os

from rollcall import Problem, Session


def main() -> int:
    parser = argparse.ArgumentParser(description="Registers a name, joins a group, and prints what it hears.")
    parser.add_argument("name")
    parser.add_argument("group")
    parser.add_argument("--url", default="http://127.0.0.1:4780")
    parser.add_argument("--ttl", type=float, default=10, help="seconds that the session outlives this program")
    words = parser.parse_args()
    session = Session.open(words.url, ttl=words.ttl, token=os.environ.get("ROLLCALL_TOKEN"))
    with session:
        try:
            session.register(words.name, meta={"language": "python"})
        except Problem as problem:
            print("refused:", problem, flush=True)
            return 1
        session.join(words.group)
        print("ready", session.pid, flush=True)
        try:
            for event in session.events():
                print(event["kind"], event.get("message"), flush=True)
                if event["kind"] == "call":
                    session.reply(event, {"you said": event["message"]})
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
