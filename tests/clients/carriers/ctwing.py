"""A client of China Telecom's 5G CMP that shares no code with the simulator or with Kachi."""
import hashlib
import json
import time
import xml.etree.ElementTree as ET

from wire import CARDS, URL, advance, call, china, control, done, fault, lost, now, same, truth
from strenc import encrypt

KEY, SECRET = "demoAppKey", "SECRET123"
A, B, READY, TEST, FOREIGN = CARDS[:5]


def stamp(at=None):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(now() if at is None else at))


def sign(query, body, at, secret=SECRET):
    plain = "&".join(f"{k}={v}" for k, v in sorted(query.items())).encode() + body + secret.encode() + at.encode()
    return hashlib.md5(plain).hexdigest().encode().hex().upper()


def send(path, query=None, body=None, key=KEY, at=None, signature=None):
    query, at = query or {}, at or stamp()
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"AppKey": key, "Timestamp": at, "Sign": signature or sign(query, data, at), "Content-Type": "application/json"}
    tail = "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
    status, head, answer = call(URL + path + tail, data or None, headers=headers)
    same(path, status, 200)
    return answer


def ask(path, **query):
    return json.loads(send(path, query))


def text(answer, name):
    """By the local name of an element, as tolerant clients read it."""
    root = ET.fromstring(answer) if isinstance(answer, bytes) else answer
    return next((e.text for e in root.iter() if e.tag.rsplit("}")[-1].lower() == name.lower()), None)


def state(card):
    return ask("/openapi/v1/prodinst/queryCardMainStatus", access_number=card["msisdn"])["productInfo"][0]["productMainStatusCd"]


def write(name, card, **query):
    answer = send(f"/5gcmp/openapi/v1/common/{name}", {"access_number": card["msisdn"], **query})
    return text(answer, "RspCode") if answer.startswith(b"<") else json.loads(answer).get("RESULT", json.loads(answer).get("resultCode"))


def authentication():
    path, query = "/openapi/v1/prodinst/queryCardMainStatus", {"access_number": A["msisdn"], "queryDropCard": "1"}
    code = lambda **more: json.loads(send(path, query, **more))["resultCode"]
    same("well signed", code(), "0")
    same("another key", code(key="other"), "-1")
    same("another secret", code(signature=sign(query, b"", stamp(), "SECRET124")), "-3")
    old = stamp(now() - 301)
    same("an old time, well signed", code(at=old), "-3")
    same("China's time where GMT is wanted", code(at=china()), "-3")
    plain = sign(query, b"", stamp())
    same("plain MD5", code(signature=bytes.fromhex(plain).decode()), "-3")
    unsorted = "queryDropCard=1&access_number=" + A["msisdn"]
    at = stamp()
    wrong = hashlib.md5((unsorted + SECRET + at).encode()).hexdigest().encode().hex().upper()
    same("parameters in another order", code(signature=wrong, at=at), "-3")


def reading():
    same("states", [state(c) for c in (A, READY, TEST)], ["4", "1", "2"])
    number = lambda iccid: ask("/openapi/v1/prodinst/getTelephone", iccid=iccid)
    same("by 19 digits", number(A["iccid"][:19])["SMSG"], A["msisdn"])
    same("not by 20", number(A["iccid"])["RESULT"], "-4")
    same("another's", ask("/openapi/v1/prodinst/queryCardMainStatus", access_number=FOREIGN["msisdn"])["resultCode"], "-4")
    same("device", ask("/openapi/v1/prodinst/gete2einfo", access_number=A["msisdn"])["IMEI"], A["imei"])
    online = ask("/openapi/v1/prodinst/getOnlineStatus", access_number=A["msisdn"])
    same("online", (online["onlineFlag"], online["ip"]), ("1", truth(A)["session"]["ip"]))
    same("how many", ask("/openapi/v1/prodinst/getSIMAmount")["data"], len(CARDS) - 1)
    page = ask("/openapi/v1/prodinst/getSIMList", pageIndex=1, simStatus=4)["data"]
    same("those in use", page["total"], len(CARDS) - 3)
    body = {"accessNumbers": [A["msisdn"], FOREIGN["msisdn"]], "custNumber": "C1"}
    rows = json.loads(send("/api/v1/prod/batchQrySimInfo", body=body))["data"]["qrySimInfoList"]
    same("a row each", (rows[0]["imsi"], rows[1]["result"]), (A["imsi"], "-4"))
    same("101", json.loads(send("/api/v1/prod/batchQrySimStatus", body={**body, "accessNumbers": [A["msisdn"]] * 101}))["code"], -2)


def usage():
    path = "/api/v1/openbill/queryTraffic"
    total = lambda: text(send(path, {"access_number": A["msisdn"], "needDtl": "0"}), "total_bytes_cnt")
    control("/card", {"iccid": A["iccid"], "use_bytes": 12939428})
    same("half an hour late", total(), "0.00KB")
    advance(1801)
    same("then it shows", total(), "12.34MB")
    body = {"custNumber": "C1", "accessNumber": [A["msisdn"], B["msisdn"]], "month": china()[:6]}
    row = json.loads(send("/api/v1/batchQry/batchQryFlowByMonth", body=body))["data"][0]
    same("in a batch", (row["flowAmount"], row["unit"], row["month"]), (12.34, "MB", china()[:6]))
    days = {"access_number": A["msisdn"], "startDate": china()[:8], "endDate": china()[:8], "needDtl": "1"}
    answer = send("/api/v1/openbill/queryTrafficByDate", days)
    same("one record", (text(answer, "TOTALCOUNT"), text(answer, "BYTES_CNT")), ("1", "12.34MB"))
    fault("ctwing", "counter_down")
    same("down, and up again", [total(), total()], ["6.17MB", "12.34MB"])


def writes():
    same("resume what works", write("disabledNumberService", A, acctCd="", orderTypeId=20), "100008")
    same("stop", write("disabledNumberService", A, acctCd="", orderTypeId=19), "0")
    same("not at once", state(A), "4")
    same("one at a time", write("disabledNumberService", A, acctCd="", orderTypeId=20), "-7")
    advance(2)
    same("then", state(A), "5")
    same("too soon", write("disabledNumberService", A, acctCd="", orderTypeId=20), "101004")
    advance(180)
    same("resume", write("disabledNumberService", A, acctCd="", orderTypeId=20), "0")
    same("resume what waits for activation", write("disabledNumberService", READY, acctCd="", orderTypeId=20), "100008")
    same("activate instead", write("requestServActive", READY), "0")
    same("end the test", write("disabledNumberService", TEST, acctCd="", orderTypeId=21), "0")
    advance(2)
    same("all three", [state(c) for c in (A, READY, TEST)], ["4", "4", "3"])
    advance(180)
    same("cut data", write("singleCutNet", A, action="ADD"), "0")
    advance(181)
    net = lambda: ask("/openapi/v1/prodinst/queryCardMainStatus", access_number=A["msisdn"])["netBlockStatusName"]
    same("cut, offline, still in use", (net(), truth(A)["online"], state(A)), ("已断网", False, "4"))
    same("restore", write("singleCutNet", A, action="DEL"), "0")
    advance(181)
    same("threshold", write("offNetAction", A, action=1, quota=20, type=1), "0")
    advance(181)
    for _ in range(4):
        control("/card", {"iccid": A["iccid"], "use_bytes": 4 << 20})
    same("no more than the threshold let through", (net(), truth(A)["month_bytes"]), ("已断网", 12939428 + 2 * (4 << 20)))
    same("slower", write("speedLimitAction", A, action="ADD", speedValue=12), "0000")
    control("/card", {"iccid": B["iccid"], "stops": ["forced"]})
    same("managed by the carrier", state(B), "6")
    same("not the owner's", write("disabledNumberService", B, acctCd="", orderTypeId=20), "100008")
    control("/card", {"iccid": B["iccid"], "stops": []})


def messages():
    body = {"accessNumber": B["msisdn"], "content": encrypt("余额不足 10%", "SECRET123"[:9]), "msgCharset": 8}
    same("sent", json.loads(send("/api/v1/na/notice/message/sendSms", body=body))["code"], 0)
    advance(1)
    sms = truth(B)["sms"][0]
    same("had it", (sms["text"], sms["delivered"] is not None), ("余额不足 10%", True))
    items = ask(f"/api/v1/openRisk/{B['msisdn']}/diagnosis")["data"]
    same("diagnosis", {i["result"] for i in items}, {"1"})


def faults():
    stop = lambda: write("disabledNumberService", B, acctCd="", orderTypeId=19)
    fault("ctwing", "error_body", on="disabledNumber")
    same("an error in a 200", stop(), "-99")
    fault("ctwing", "rate_limited")
    same("limited", stop(), "101004")
    fault("ctwing", "accepted_never_applied")
    same("accepted", stop(), "0")
    advance(181)
    same("never done", state(B), "4")
    fault("ctwing", "applied_but_timed_out", hold_ms=10)
    same("no answer", lost(stop), True)
    advance(2)
    same("but done", state(B), "5")
    fault("ctwing", "gbk")
    answer = send("/openapi/v1/prodinst/realNameQueryIot", {"access_number": B["msisdn"]})
    same("GBK", ("已实名" in answer.decode("gbk"), b"GBK" in answer), (True, True))
    fault("ctwing", "garbage_xml")
    try:
        ET.fromstring(send("/openapi/v1/prodinst/prodInstQuery", {"access_number": B["msisdn"]}))
        raise SystemExit("garbage was read")
    except ET.ParseError:
        pass
    same("no fault is left", control("/faults"), [])


for part in [authentication, reading, usage, writes, messages, faults]:
    part()
done()
