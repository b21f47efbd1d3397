"""A client of Jasper's REST interface that shares no code with the simulator or with Kachi."""
import base64
import json
import time
from urllib.parse import urlencode

from wire import CARDS, URL, advance, call, control, done, fault, lost, now, same, truth

A, B, READY, FOREIGN = CARDS[:4]


def send(path, body=None, method=None, user="demoUser:demoKey1", **query):
    headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode(), "Content-Type": "application/json"}
    tail = "?" + urlencode(query) if query else ""
    data = None if body is None else json.dumps(body).encode()
    status, _, answer = call(f"{URL}/rws/api/v1/{path}{tail}", data, method, headers)
    return status, json.loads(answer)


def get(path, **query):
    status, answer = send(path, **query)
    same(path, status, 200)
    return answer


def put(card, **field):
    status, answer = send("devices/" + card["iccid"], field, "PUT")
    return answer.get("iccid") if status in (200, 202) else (status, answer["errorCode"])


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def authentication():
    same("well", get("echo/hello"), {"param": "hello"})
    for wrong in ["demoUser:demoKey2", "demoUsex:demoKey1", "demoUser"]:
        status, answer = send("echo/hello", user=wrong)
        same(wrong, (status, answer["errorCode"], answer["errorMessage"][:22]), (401, "10000001", "Full authentication is"))


def reading():
    card = get("devices/" + A["iccid"])
    same("numbers", [card[k] for k in ("imsi", "msisdn", "imei", "status")], [A["imsi"], A["msisdn"], A["imei"], "ACTIVATED"])
    same("ready", get("devices/" + READY["iccid"])["status"], "ACTIVATION_READY")
    same("another's", send("devices/" + FOREIGN["iccid"]), (404, {"errorCode": "20000001", "errorMessage": "Resource not found"}))
    same("in a session", get(f"devices/{A['iccid']}/sessionInfo")["ipAddress"], truth(A)["session"]["ip"])
    same("without since", send("devices")[0], 400)
    same("a window of two years", send("devices", modifiedSince=stamp(now() - 800 * 86400))[0], 400)
    same("51 a page", send("devices", modifiedSince=stamp(now()), pageSize=51)[0], 400)
    since = stamp(now() - 360 * 86400)
    rows, number, last = [], 0, False
    while not last:
        number += 1
        page = get("devices", modifiedSince=since, pageSize=4, pageNumber=number)
        rows, last = rows + page["devices"], page["lastPage"]
        same("page", page["pageNumber"], number)
    same("everything once", sorted(r["iccid"] for r in rows), sorted(c["iccid"] for c in CARDS if c is not FOREIGN))


def writes():
    at = now()
    same("stop", put(A, status="DEACTIVATED"), A["iccid"])
    same("not at once", get("devices/" + A["iccid"])["status"], "ACTIVATED")
    advance(2)
    same("then", get("devices/" + A["iccid"])["status"], "DEACTIVATED")
    same("offline", get(f"devices/{A['iccid']}/sessionInfo")["dateSessionEnded"], stamp(now()))
    same("too soon", put(A, status="ACTIVATED"), (409, "20000031"))
    advance(180)
    same("resume", put(A, status="ACTIVATED"), A["iccid"])
    same("activate", put(READY, status="ACTIVATED"), READY["iccid"])
    advance(182)
    same("two fields", put(A, ratePlan="X", communicationPlan="Y")[0], 400)
    same("no such state", put(A, status="SLEEPING")[0], 400)
    same("no way back", put(A, status="TEST_READY"), (400, "20000030"))
    same("plan", put(A, ratePlan="PLAN-B"), A["iccid"])
    advance(182)
    same("data off", put(A, communicationPlan="COMM-OFF"), A["iccid"])
    advance(182)
    card = get("devices/" + A["iccid"])
    same("both", (card["ratePlan"], card["communicationPlan"], truth(A)["online"]), ("PLAN-B", "COMM-OFF", False))
    put(A, communicationPlan="COMM-1")
    advance(182)
    put(A, operatorCustom1="red")
    advance(2)
    card = get("devices/" + A["iccid"])
    same("on again", (card["operatorCustom1"], truth(A)["online"]), ("red", True))
    trail = get(f"devices/{A['iccid']}/auditTrails", daysOfHistory=1)["deviceAuditTrails"]
    moves = [(t["field"], t["priorValue"], t["value"]) for t in trail]
    same("trail, newest first", moves[:2] + moves[-1:], [("operatorCustom1", "", "red"), ("ratePlan", "PLAN-A", "PLAN-B"),
                                                        ("SIM Status", "ACTIVATED", "DEACTIVATED")])
    changed = get("devices", modifiedSince=stamp(at).replace("Z", "+00:00"))["devices"]
    same("the feed", [d["iccid"] for d in changed], [READY["iccid"], A["iccid"]])
    control("/card", {"iccid": B["iccid"], "stops": ["management"]})
    same("not the owner's", put(B, status="ACTIVATED"), (400, "20000030"))
    control("/card", {"iccid": B["iccid"], "stops": []})


def usage():
    month = lambda: get(f"devices/{A['iccid']}/ctdUsages")["ctdDataUsage"]
    before = month()
    control("/card", {"iccid": A["iccid"], "use_bytes": 1234567})
    same("bytes, at once", month() - before, 1234567)
    fault("jasper", "counter_down")
    same("down, and up again", [month(), month()], [1234567 // 2, 1234567])


def messages():
    sent = send(f"devices/{A['iccid']}/smsMessages", {"messageText": base64.b64encode("你好".encode()).decode(), "messageEncoding": "BASE64"})[1]
    same("under way", get(f"smsMessages/{sent['smsMessageId']}")["status"], "Pending")
    advance(1)
    same("there", [get(f"smsMessages/{sent['smsMessageId']}")[k] for k in ("status", "messageText")], ["Delivered", "你好"])
    control("/card", {"iccid": B["iccid"], "powered": False})
    sent = send(f"devices/{B['iccid']}/smsMessages", {"messageText": "ping"})[1]
    advance(100)
    same("switched off", get(f"smsMessages/{sent['smsMessageId']}")["status"], "Pending")
    control("/card", {"iccid": B["iccid"], "powered": True})
    same("switched on", get(f"smsMessages/{sent['smsMessageId']}")["status"], "Delivered")
    control("/sms/mo", {"iccid": B["iccid"], "text": "pong"})
    rows = get("smsMessages", fromDate=stamp(now() - 200))["smsMessages"]
    same("all", [(m["messageType"], m["messageText"]) for m in rows], [("MT", "你好"), ("MT", "ping"), ("MO", "pong")])


def faults():
    stop = lambda: put(B, status="DEACTIVATED")
    fault("jasper", "rate_limited")
    same("limited", send("echo/x")[0], 429)
    fault("jasper", "error_body")
    same("an error in a 200", send("devices/" + B["iccid"]), (200, {"errorCode": "30000001", "errorMessage": "Unknown server error"}))
    fault("jasper", "http_500", iccid=B["iccid"])
    same("another card is let be", send("devices/" + A["iccid"])[0], 200)
    same("500", call(f"{URL}/rws/api/v1/devices/{B['iccid']}")[0], 500)
    fault("jasper", "unavailable", status=502, on=f"GET /rws/api/v1/devices/{B['iccid']}")
    same("no gateway to another", send("devices/" + A["iccid"])[0], 200)
    same("502", call(f"{URL}/rws/api/v1/devices/{B['iccid']}")[0], 502)
    fault("jasper", "accepted_never_applied")
    same("accepted", stop(), B["iccid"])
    advance(181)
    same("never done", get("devices/" + B["iccid"])["status"], "ACTIVATED")
    fault("jasper", "applied_but_timed_out")
    same("no answer", lost(stop), True)
    advance(2)
    same("but done", get("devices/" + B["iccid"])["status"], "DEACTIVATED")
    same("no fault is left", control("/faults"), [])


for part in [authentication, reading, writes, usage, messages, faults]:
    part()
done()
