#!/usr/bin/env python3
"""An independent client of the CardBOSS partner API v2.2.2. Python standard library only.

  python3 cardboss.py call PATH --data URL --direct URL --sid S --apikey K [name=value...]
  python3 cardboss.py journey --data URL --direct URL --sid S --apikey K --card MSISDN --package CODE ...
  python3 cardboss.py vectors --count 200 --seed 7        one line each: see cardboss_vectors.py
"""
import argparse
import datetime
import http.client
import json
import sys
from decimal import Decimal
from urllib.parse import quote_plus, urlsplit

sys.dont_write_bytecode = True  # these files stand in a source tree

from cardboss_sign import OPERATIONS, signature

CHINA = datetime.timezone(datetime.timedelta(hours=8))


class Answer:
    """One answer: the raw bytes, and the parsed object with fractions kept exact."""

    def __init__(self, status, raw):
        self.status, self.raw = status, raw
        try:
            self.json = json.loads(raw, parse_float=Decimal)
        except ValueError:
            raise SystemExit("not JSON (HTTP %d): %r" % (status, raw[:500])) from None

    @property
    def code(self):
        return self.json.get("code")

    @property
    def result(self):
        return self.json.get("result")


class Client:
    """Signs and sends; one connection for each request, as simple clients do."""

    def __init__(self, data_url, direct_url, sid, apikey, timeout=30, offset=0):
        self.urls = {"data": data_url, "direct": direct_url}
        self.sid, self.apikey, self.timeout, self.offset = sid, apikey, timeout, offset

    def sealed(self, path, encoding="utf-8", **params):
        """The query or form: parameters, system parameters (replaced or, by None, removed), signature."""
        now = datetime.datetime.now(CHINA) + datetime.timedelta(seconds=self.offset)
        full = {"sid": self.sid, "ts": now.strftime("%Y%m%d%H%M%S")}
        full.update(params)
        full = {name: text for name, text in full.items() if text is not None}
        full.setdefault("sign", signature(path, full, self.apikey, encoding))
        return "&".join(name + "=" + quote_plus(text, encoding=encoding) for name, text in full.items())

    def send(self, path, form, method=None, port=None):
        """Sends exactly this text."""
        usual, usual_port, _ = OPERATIONS.get(path, ("POST", "data", []))
        method, url = method or usual, urlsplit(self.urls[port or usual_port])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=self.timeout)
        target = url.path.rstrip("/") + "/iotapi/rest/v2/" + path
        # The document asks for this odd header: it names the character set.
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "utf-8"}
        try:
            if method == "GET":
                connection.request("GET", target + "?" + form)
            else:
                connection.request(method, target, form.encode("ascii"), headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as why:
            raise SystemExit("no answer from --%s %s: %s" % (port or usual_port, url.geturl(), why)) from None
        connection.close()
        return Answer(response.status, raw)

    def call(self, path, encoding="utf-8", **params):
        return self.send(path, self.sealed(path, encoding, **params))


def parameter(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("%r is not name=value" % text)
    return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    call = commands.add_parser("call", help="one call, its answer printed")
    call.add_argument("path", choices=OPERATIONS, metavar="PATH")
    call.add_argument("params", nargs="*", type=parameter, metavar="name=value")
    journey = commands.add_parser("journey", help="every operation once, checked; exits non-zero on the first failure")
    for name in ("card", "package", "months", "foreign", "acting", "template"):
        journey.add_argument("--" + name, required=True)
    journey.add_argument("--receive", type=int, required=True, help="a port; the account's pushes go to http://127.0.0.1:PORT")
    for command in (call, journey):
        for name in ("data", "direct", "sid", "apikey"):
            command.add_argument("--" + name, required=True)
    vectors = commands.add_parser("vectors", help="random signed requests, sealed messages and pushes")
    vectors.add_argument("--count", type=int, default=200)
    vectors.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.command == "vectors":
        from cardboss_vectors import lines
        for line in lines(args.count, args.seed):
            sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
        return 0
    client = Client(args.data, args.direct, args.sid, args.apikey)
    if args.command == "call":
        answer = client.call(args.path, **dict(args.params))
        sys.stdout.buffer.write(answer.raw + b"\n")
        return 0 if answer.code == "0" else 1
    from cardboss_journey import run
    return run(client, args)


if __name__ == "__main__":
    sys.exit(main())
