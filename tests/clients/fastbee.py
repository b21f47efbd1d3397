"""A caller of the FastBee card door that shares no code with the server: Python's standard library alone.

Usage: fastbee.py BASE_URL TOKEN ICCID_TO_ADD

Adds, reads, changes, stops, lets on and takes out cards as the source's own pages do, and says what was wrong. The card
platform 1 must be one that answers (the sandbox).
"""
import json
import sys
import time
import urllib.error
import urllib.request

BASE, TOKEN, ICCID = sys.argv[1:4]


def call(method, path, body=None, token=TOKEN, kind="application/json"):
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method)
    request.add_header("Content-Type", kind)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read().decode()
    read = json.loads(text)
    want(read["code"] == status, "code repeats the status", status, read)
    return status, read


def want(condition, what, *seen):
    if not condition:
        sys.exit(f"{what}: {seen!r}")


def good(method, path, body=None, **more):
    status, read = call(method, path, body, **more)
    want(status in (200, 202), f"{method} {path}", status, read)
    return read


def until(what, look):
    for _ in range(600):
        found = look()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"waited too long: {what}")


def main():
    want(call("GET", "/card/list", token=None)[0] == 401, "no token is refused")
    platforms = good("GET", "/iot/cardPlatform/list")["rows"]
    want(any(p["id"] == 1 and p["platform"] == "sandbox" for p in platforms), "the platform", platforms)

    # Card import.
    csv = f"iccid,msisdn,remark\n{ICCID},1440000000001,first\n{ICCID},1440000000002,again\n"
    done = good("POST", "/card/import?cardPlatformId=1", csv, kind="text/csv")["data"]
    want((done["success"], done["failed"]) == (1, 1), "an ICCID is unique", done)
    card = good("GET", f"/card/{ICCID}")["data"]
    want((card["msisdn"], card["remark"], card["cardPlatformId"]) == ("1440000000001", "first", 1), "complete", card)

    # Lists and filters.
    listed = good("GET", f"/iot/card/list?iccid={ICCID}&pageNum=1&pageSize=10")
    want(listed["total"] == 1 and listed["rows"][0]["id"] == card["id"], "found by its number", listed)
    want(good("GET", "/card/list?cardStatus=1")["total"] == 1, "to be activated")

    # Changes.
    changed = good("PUT", "/iot/card", {**card, "remark": "second", "dataAlertThreshold": 80})["data"]
    want((changed["remark"], changed["dataAlertThreshold"]) == ("second", 80), "changed", changed)
    status, no = call("PUT", "/card", {"id": card["id"], "cardStatus": 2})
    want(status == 400 and no["field"] == "cardStatus", "a status is not written over", no)

    # Read at the platform, let on, stopped.
    good("POST", "/card/syncTrafficInfo", {"iccid": ICCID})
    for act, wanted in (("activate", "active"), ("suspend", "owner_stop"), ("resume", "active")):
        good("POST", f"/card/{act}/{ICCID}")
        def now():
            row = good("GET", f"/card/{ICCID}")["data"]
            stopped = "owner_stop" in row["blocks"]
            return row if stopped == (wanted == "owner_stop") and row["state"] == "active" else None
        until(f"the carrier confirms {act}", now)
    numbers = good("GET", "/card/statistics")["data"]
    want(numbers["totalCount"] == 1 and numbers["shutdownCount"] == 1, "no package: stopped", numbers)

    # Taken out: not this one, to which something happened; another that was just added.
    status, no = call("DELETE", f"/card/{card['id']}")
    want(status == 400 and "kept" in no["msg"], "history is kept", no)
    other = good("POST", "/card", {"iccid": ICCID[:-1] + ("0" if ICCID[-1] != "0" else "1"), "cardPlatformId": 1})["data"]
    want(good("DELETE", f"/card/{other['id']}")["data"] == 1, "taken out")
    want(call("GET", f"/card/{other['id']}")[0] == 404, "gone")
    print("the card door does as it should")


main()
