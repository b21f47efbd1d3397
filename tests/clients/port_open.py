"""Exit 0 if a PostgreSQL lets us in at a postgres:// address: as its user, with the password if it has one.

A server that only listens is not enough: the one a Debian package starts by itself asks for a password nobody has.
"""
import socket
import struct
import sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
words = ["user", url.username or "postgres", "database", url.path.lstrip("/") or "postgres"]
body = struct.pack("!i", 3 << 16) + b"".join(word.encode() + b"\0" for word in words) + b"\0"


def admitted(peer):
    """Reads the server's messages until it is ready for a query, refuses us, or asks for a password."""
    stream = peer.makefile("rb")
    while True:
        kind, size = stream.read(1), stream.read(4)
        if len(size) < 4:
            return False
        rest = stream.read(struct.unpack("!i", size)[0] - 4)
        if kind == b"R" and rest[:4] != b"\0\0\0\0":
            return url.password is not None
        if kind in (b"Z", b"E"):
            return kind == b"Z"


try:
    with socket.create_connection((url.hostname or "127.0.0.1", url.port or 5432), timeout=3) as peer:
        peer.sendall(struct.pack("!i", len(body) + 4) + body)
        sys.exit(0 if admitted(peer) else 1)
except OSError:
    sys.exit(1)
