"""A client of China Telecom's older portal that shares no code with the simulator or with Kachi."""
import json
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

from strenc import encrypt, standard_choice
from wire import CARDS, URL, advance, call, china, control, done, fault, lost, same, truth

USER, PASSWORD, KEY = "demoUser", "demoPass1", "k1ak2bk3c"
A, B, READY, TEST, FOREIGN = CARDS[:5]
ORDERS = ["orderFlow", "unsubScribe", "speedLimitAction", "IMEIReRecord"]


def url(method, subject, signed=None, flags=None, user=USER, password=PASSWORD, sign=None):
    signed = signed or {}
    values = sorted([*subject.values(), user, password, method, *signed.values()])
    params = {"method": method, "user_id": user, **subject, **signed, **(flags or {}), "passWord": encrypt(password, KEY),
              "sign": sign or encrypt(",".join(values), KEY)}
    path = "/m2m_ec/app/serviceAccept.do" if method in ORDERS else "/m2m_ec/query.do"
    return f"{URL}{path}?{urlencode(params)}"


def raw(method, card=A, signed=None, **more):
    status, head, answer = call(url(method, {"access_number": card["msisdn"]}, signed, **more))
    same(method, status, 200)
    return answer


def ask(method, card=A, signed=None, **more):
    answer = raw(method, card, signed, **more)
    return ET.fromstring(answer) if answer.startswith(b"<") else json.loads(answer)


def text(answer, name):
    return next((e.text for e in answer.iter() if e.tag.rsplit("}")[-1] == name), None)


def write(method, card, **signed):
    answer = ask(method, card, {k: str(v) for k, v in signed.items()})
    return text(answer, "RspCode") if isinstance(answer, ET.Element) else answer.get("RESULT", answer.get("resultCode"))


def packages(card, **named):
    rows = [row for row in ask("queryPakage", card, flags=named).iter() if row.tag == "CumulRspList"]
    return [tuple(text(row, name) for name in ("CUMULATION_TOTAL", "CUMULATION_ALREADY", "UNIT_NAME")) for row in rows]


def state(card):
    return ask("queryCardMainStatus", card)["productInfo"][0]["productMainStatusCd"]


def authentication():
    code = lambda **more: ask("queryCardMainStatus", **more)["resultCode"]
    same("well signed", code(), "0")
    same("another password", code(password="demoPass2"), "-1")
    same("another user", code(user="demoUsex"), "-1")
    same("another sign", code(sign=encrypt("something else", KEY)), "-3")
    values = ",".join(sorted([A["msisdn"], USER, PASSWORD, "queryCardMainStatus"]))
    same("the standard's DES", code(sign=encrypt(values, KEY, standard_choice)), "-3")
    same("keys in another order", code(sign=encrypt(values, "k3ck2bk1a")), "-3")
    same("unsorted", code(sign=encrypt(",".join([USER, A["msisdn"], PASSWORD, "queryCardMainStatus"]), KEY)), "-3")
    body = ask("disabledNumber", A, {"orderTypeId": "20"}, flags={"acctCd": ""})
    same("the empty acctCd is signed too", text(body, "RspCode"), "-3")
    bare = json.loads(call(f"{URL}/m2m_ec/query.do?method=queryCardMainStatus")[2])
    same("nothing but a method", bare["resultCode"], "-2")


def reading():
    same("states", [state(c) for c in (A, READY, TEST)], ["4", "1", "2"])
    by = lambda iccid: json.loads(call(url("getTelephone", {"iccid": iccid}))[2])
    same("by 19 digits", by(A["iccid"][:19])["SMSG"], A["msisdn"])
    same("not by 20", by(A["iccid"])["RESULT"], "-4")
    same("another's", ask("queryCardMainStatus", FOREIGN)["resultCode"], "-4")
    same("subscriber", ask("queryIMSI")["imsi"], A["imsi"])
    same("online", ask("getOnlineStatus")["ip"], truth(A)["session"]["ip"])
    same("older words", ask("queryCardStatus")["productStatusCd"], "1")
    same("as a product", text(ask("prodInstQuery"), "phoneNum"), A["msisdn"])


def usage():
    total = lambda: text(ask("queryTraffic", flags={"needDtl": "0"}), "TOTAL_BYTES_CNT")
    control("/card", {"iccid": A["iccid"], "use_bytes": 12939428})
    same("late", total(), "0.00KB")
    advance(1801)
    same("then it shows", total(), "12.34MB")
    same("today", text(ask("queryTrafficOfToday", flags={"needDtl": "0"}), "TOTAL_BYTES_CNT"), "12.34MB")
    answer = ask("queryTrafficByDate", flags={"startDate": china()[:8], "endDate": china()[:8], "needDtl": "1"})
    same("one record", (text(answer, "TOTALCOUNT"), text(answer, "BYTES_CNT")), ("1", "12.34MB"))
    same("of a gigabyte", packages(A, monthDate=china()[:6] + "01"), [("1048576", "12636", "KB")])
    same("of this month if none is named", packages(A), [("1048576", "12636", "KB")])
    signed = ask("queryPakage", A, {"monthDate": china()[:6] + "01"})
    same("the month is not signed", text(signed, "IRESULT") or text(signed, "RspCode"), "-3")
    fault("telecom", "counter_down")
    same("down, and up again", [total(), total()], ["6.17MB", "12.34MB"])


def writes():
    order = lambda card, number: write("disabledNumber", card, orderTypeId=number, acctCd="")
    same("resume what works", order(A, 20), "100008")
    same("stop", order(A, 19), "0")
    same("not at once", state(A), "4")
    same("one at a time", write("disabledNumber", A, orderTypeId=20, acctCd=""), "-7")
    advance(2)
    same("then", (state(A), ask("queryCardStatus")["productStatusCd"]), ("5", "2"))
    same("too soon", order(A, 20), "101004")
    advance(180)
    same("resume", order(A, 20), "0")
    same("activate", write("requestServActive", READY), "0")
    same("end the test", order(TEST, 21), "0")
    advance(2)
    same("all three", [state(c) for c in (A, READY, TEST)], ["4", "4", "3"])
    advance(180)
    same("cut data", write("singleCutNet", A, action="ADD"), "0")
    advance(181)
    same("cut", ask("queryCardMainStatus")["netBlockStatusName"], "已断网")
    same("restore", write("singleCutNet", A, action="DEL"), "0")
    advance(181)
    same("threshold", write("offNetAction", A, action=1, quota=20, type=1), "0")
    advance(181)
    for _ in range(4):
        control("/card", {"iccid": A["iccid"], "use_bytes": 4 << 20})
    functions = ask("prodInstQuery")
    values = [e.text for e in functions.iter() if e.tag == "attrValue"]
    same("cut at the threshold", (values, truth(A)["month_bytes"]), (["是", "20MB"], 12939428 + 2 * (4 << 20)))
    same("buy", write("orderFlow", B, flowValue=100), "0")
    advance(181)
    same("bought already", write("orderFlow", B, flowValue=100), "-5")
    same("a package more", len(packages(B)), 2)
    same("drop it", write("unsubScribe", B, flowValue=100), "0")
    advance(181)
    same("a package less", len(packages(B)), 1)
    control("/card", {"iccid": B["iccid"], "stops": ["real_name"]})
    same("not named", (state(B), ask("queryCardStatus", B)["productStatusCd"]), ("6", "150001"))
    control("/card", {"iccid": B["iccid"], "stops": []})


def pools():
    pool = lambda method, signed: json.loads(call(url(method, {}, signed))[2])
    same("list", pool("getPoolList", {})["poolList"], [{"poolNbr": "P1"}])
    control("/card", {"iccid": CARDS[5]["iccid"], "use_bytes": 1 << 20})
    control("/card", {"iccid": CARDS[6]["iccid"], "use_bytes": 2 << 20})
    same("used", pool("poolQry", {"poolNbr": "P1"})["poolUsed"], "3.00MB")
    members = pool("getPoolMember", {"poolNbr": "P1", "currentPage": "1"})["memberList"]
    same("members", [m["usedFlow"] for m in members], ["1.00MB", "2.00MB"])
    same("no such pool", pool("poolQry", {"poolNbr": "P2"})["resultCode"], "-4")


def faults():
    stop = lambda: write("disabledNumber", B, orderTypeId=19, acctCd="")
    fault("telecom", "too_soon", on="disabledNumber")
    same("too soon", stop(), "101004")
    fault("telecom", "error_body")
    same("an error in a 200", stop(), "-99")
    fault("telecom", "accepted_never_applied", iccid=B["iccid"])
    same("accepted", stop(), "0")
    advance(181)
    same("never done", state(B), "4")
    fault("telecom", "applied_but_timed_out")
    same("no answer", lost(stop), True)
    advance(2)
    same("but done", state(B), "5")
    fault("telecom", "gbk")
    answer = raw("prodInstQuery", B)
    same("GBK", ("物联网" in answer.decode("gbk"), b'encoding="GBK"' in answer), (True, True))
    fault("telecom", "garbage_xml")
    same("garbage", b"\xff" in raw("prodInstQuery", B), True)
    same("no fault is left", control("/faults"), [])
    place = call(f"{URL}/m2m_ec/app/location.do?" + url("getLocationByPhone", {"access_number": A["msisdn"]}).split("?")[1])[2].decode()
    text = json.dumps({"latitude": "32.060255", "longitude": "118.796877", "number": A["msisdn"], "result": "0"}, separators=(",", ":"))
    same("the place is encrypted", place, encrypt(text, KEY))


def months():
    month = china()[:6] + "01"
    advance(31 * 86400)
    same("used in the month", packages(A, monthDate=month)[0][1], "20828")
    same("nothing in the next", packages(A, monthDate=china()[:6] + "01")[0][1], "0")
    same("not a month", text(ask("queryPakage", A, flags={"monthDate": "March"}), "IRESULT"), "-2")


for part in [authentication, reading, usage, writes, pools, faults, months]:
    part()
done()
