"""What the carriers' clients here share: HTTP as it is, and the simulator's control port. Standard library only."""
import json
import sys
import time
import urllib.error
import urllib.request

CONTROL, URL = sys.argv[1], sys.argv[2]
CARDS = json.loads(sys.argv[3])


def call(url, body=None, method=None, headers=None):
    """(status, headers, bytes); an error status is an answer too."""
    request = urllib.request.Request(url, data=body, method=method or ("POST" if body is not None else "GET"), headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def control(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    status, _, answer = call(CONTROL + path, data, method)
    if status != 200:
        raise SystemExit(f"control {path}: {status} {answer!r}")
    return json.loads(answer)


def fault(platform, kind, **more):
    control("/faults", {"platform": platform, "kind": kind, **more})


def advance(seconds):
    return control("/advance", {"seconds": seconds})["now"]


def now():
    return control("/world")["now"]


def truth(card):
    return control("/card/" + card["iccid"])


def china(at=None, form="%Y%m%d%H%M%S"):
    return time.strftime(form, time.gmtime((now() if at is None else at) + 8 * 3600))


def lost(work):
    """Whether the work never hears an answer."""
    try:
        work()
    except (urllib.error.URLError, ConnectionError, OSError):
        return True
    except Exception as error:  # http.client.IncompleteRead and its like
        return type(error).__module__.startswith("http")
    return False


CHECKED = [0]


def same(what, is_, wanted):
    CHECKED[0] += 1
    if is_ != wanted:
        raise SystemExit(f"{what}: {is_!r} instead of {wanted!r}")


def done():
    print(f"{CHECKED[0]} checks")
