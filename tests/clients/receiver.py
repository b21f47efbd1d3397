#!/usr/bin/env python3
"""An independent receiver of EIOTCLUB notices. Python standard library only.

Verifies each notice's signature (as for the API, without appkey), answers, and writes one JSON line per attempt:
received_at (Unix seconds), path, ok (the signature fits), event, id, status (what was answered), body (the text).
"""
import argparse
import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True  # these files stand in a source tree

from eiotclub_sign import Number, signature


def once(pairs):
    """An object whose names stand once each."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def read(body):
    """The notice with its numbers as they were written; None when it is no JSON object."""
    try:
        notice = json.loads(body.decode("utf-8"), parse_int=Number, parse_float=Number, object_pairs_hook=once)
    except ValueError:
        return None
    return notice if isinstance(notice, dict) else None


def genuine(notice, secret):
    given = notice.get("sign")
    if not isinstance(given, str) or "appkey" in notice:
        return False
    return hmac.compare_digest(given.upper().encode("utf-8"), signature(notice, secret).encode("ascii"))


class Journal:
    """Writes whole lines, and counts the attempts of each notice."""

    def __init__(self, out):
        self.out, self.lock, self.attempts = out, threading.Lock(), {}

    def attempt(self, key):
        with self.lock:
            self.attempts[key] = self.attempts.get(key, 0) + 1
            return self.attempts[key]

    def write(self, line):
        with self.lock:
            self.out.write(json.dumps(line, ensure_ascii=False) + "\n")
            self.out.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        received_at = time.time()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        notice = read(raw) or {}
        ok = genuine(notice, self.server.options.secret)
        key = (self.path, str(notice.get("id")))
        if not ok:
            status, text = 401, '{"status":"BAD SIGNATURE"}'
        elif self.server.journal.attempt(key) <= self.server.options.fail_first:
            status, text = 500, '{"status":"FAIL"}'
        else:
            status, text = 200, self.server.options.answer
        self.server.journal.write({
            "received_at": received_at, "path": self.path, "ok": ok, "event": notice.get("event"), "id": notice.get("id"),
            "status": status, "body": raw.decode("utf-8", "replace"),
        })
        self.answer(status, text.encode("utf-8"))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed on the first line of stdout")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer 500 to the first N attempts of each id")
    parser.add_argument("--answer", default='{"status":"SUCCESS"}', metavar="TEXT")
    parser.add_argument("--out", metavar="FILE", help="append the lines to a file instead of stdout")
    options = parser.parse_args()
    server = Server((options.host, options.port), Handler)
    if options.port == 0:
        print(server.server_address[1], flush=True)
    server.options = options
    server.journal = Journal(open(options.out, "a", encoding="utf-8") if options.out else sys.stdout)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
