"""A client of OneLink's EC API v5 that shares no code with the simulator or with Kachi: transid, token, and every call as published."""
import json
from urllib.parse import urlencode

from wire import CARDS, URL, advance, call, china, control, done, fault, lost, now, same, truth

COUNT = [0]
TOKEN = [None]


def transid(at=None):
    COUNT[0] += 1
    return f"100001{china(at)}{COUNT[0]:08d}"


def raw(name, params, post=False):
    url = f"{URL}/v5/ec/{name}"
    if post:
        return call(url, json.dumps(params).encode(), headers={"Content-Type": "application/json"})
    return call(f"{url}?{urlencode(params)}")


def ask(name, post=False, **params):
    status, _, body = raw(name, {"transid": transid(), "token": TOKEN[0], **params}, post)
    same(name, status, 200)
    answer = json.loads(body)
    if answer["status"] != "0":
        same(f"{name} has no result beside an error", "result" in answer, False)
        return answer["status"]
    return answer["result"]


def one(name, **params):
    result = ask(name, **params)
    return result if isinstance(result, str) else result[0]


def login(password="pw123"):
    answer = json.loads(raw("get/token", {"appid": "100001", "password": password, "transid": transid()})[2])
    if answer["status"] != "0":
        return answer["status"]
    same("ttl is text", answer["result"][0]["ttl"], "3600")
    return answer["result"][0]["token"]


def authentication():
    same("wrong password", login("pw124"), "12022")
    TOKEN[0] = "never given"
    iccid = CARDS[0]["iccid"]
    same("unknown token", ask("query/sim-status", iccid=iccid), "12021")
    TOKEN[0] = login()
    same("good token", one("query/sim-status", iccid=iccid)["cardStatus"], "2")
    params = {"transid": transid(), "token": TOKEN[0], "iccid": iccid}
    same("transid once", json.loads(raw("query/sim-status", params)[2])["status"], "0")
    same("transid twice", json.loads(raw("query/sim-status", params)[2])["status"], "12004")
    for wrong in [transid(now() - 301), transid(now() + 301), "100002" + transid()[6:], transid()[:-1], "x"]:
        same(f"transid {wrong}", json.loads(raw("query/sim-status", {**params, "transid": wrong})[2])["status"], "12004")
    first, TOKEN[0] = TOKEN[0], login()
    same("the second login's token", one("query/sim-status", iccid=iccid)["cardStatus"], "2")
    TOKEN[0], second = first, TOKEN[0]
    same("the first login's token is dead", ask("query/sim-status", iccid=iccid), "12021")
    TOKEN[0] = second
    advance(3600)
    same("a token of an hour ago", ask("query/sim-status", iccid=iccid), "12021")
    TOKEN[0] = login()


def reading():
    active, ready, pb, foreign = CARDS[:4]
    for key in ["iccid", "msisdn", "imsi"]:
        same(f"by {key}", one("query/sim-basic-info", **{key: active[key]})["iccid"], active["iccid"])
    same("two keys", ask("query/sim-status", iccid=active["iccid"], msisdn=active["msisdn"]), "11000")
    same("POST with JSON", ask("query/sim-status", post=True, iccid=active["iccid"])[0]["cardStatus"], "2")
    same("ready", one("query/sim-status", iccid=ready["iccid"])["cardStatus"], "1")
    same("never activated is a blank", one("query/sim-basic-info", iccid=ready["iccid"])["activeDate"], " ")
    same("PB has other numbers", one("query/sim-status", iccid=pb["iccid"])["cardStatus"], "00")
    same("another customer's", ask("query/sim-status", iccid=foreign["iccid"]), "12009")
    same("unknown", ask("query/sim-status", iccid="89860400000000000000"), "12010")
    rows = ask("query/sim-card-info/batch", iccids=f"{active['iccid']}_89860400000000000000_{foreign['iccid']}")
    same("a status a row", [r["status"] for r in rows], ["0", "12010", "12009"])
    same("its numbers", rows[0]["imsi"], active["imsi"])
    same("101 cards", ask("query/sim-card-info/batch", iccids="_".join([active["iccid"]] * 101)), "11000")
    same("device", one("query/sim-imei", iccid=active["iccid"])["imei"], active["imei"])
    session = one("query/sim-session", iccid=active["iccid"])["simSessionList"][0]
    same("in a session", (session["apnId"], session["status"], session["ip"]), ("CMIOT", "01", truth(active)["session"]["ip"]))


def usage():
    active, _, pb = CARDS[:3]
    month = lambda card: one("query/sim-data-usage", iccid=card["iccid"])["dataAmount"]
    same("nothing yet", month(active), "0")
    for card in (active, pb):
        control("/card", {"iccid": card["iccid"], "use_bytes": 20480 * 1024 + 512})
    same("in real time", month(active), "20480.5")
    same("PB is of yesterday", month(pb), "0")
    today = china(form="%Y%m%d")
    daily = lambda card, day: ask("query/sim-data-usage-daily/batch", iccids=card["iccid"], queryDate=day)
    same("today has no day yet", daily(active, today), "11000")
    advance(86400)
    TOKEN[0] = login()
    same("PB a day later", month(pb), "20480.5")
    row = daily(active, today)[0]["dataAmountList"][0]
    same("the day", (row["iccid"], row["dataAmount"], row["apnDataAmountList"][0]["apnName"]), (active["iccid"], "20480.5", "CMIOT"))
    margin = one("query/sim-data-margin", iccid=active["iccid"])["accmMarginList"][0]
    same("of a gigabyte", (margin["totalAmount"], margin["useAmount"], margin["remainAmount"]), ("1048576", "20480.5", "1028095.5"))
    label = china(form="%Y%m")
    monthly = ask("query/sim-data-usage-monthly/batch", msisdns=active["msisdn"], queryDate=label)[0]["dataAmountList"][0]
    same("the month", (monthly["msisdn"], monthly["dataAmount"]), (active["msisdn"], "20480.5"))
    fault("onelink", "counter_down", iccid=active["iccid"])
    same("a counter that goes down", [month(active), month(active)], ["10240.25", "20480.5"])


def writes():
    active, ready = CARDS[:2]
    key = {"iccid": active["iccid"]}
    state = lambda card: one("query/sim-status", iccid=card["iccid"])["cardStatus"]
    same("resuming a working card", ask("change/sim-status", operType=1, **key), "12089")
    one("change/sim-status", operType=0, **key)
    same("accepted is not done", state(active), "2")
    advance(2)
    same("done", (state(active), one("query/sim-stop-reason", **key)["stopReason"]), ("4", "000000002000"))
    same("out of the network", one("query/sim-session", **key)["simSessionList"][0]["status"], "00")
    same("same card too soon", ask("change/sim-status", operType=1, **key), "13009")
    advance(178)
    control("/card", {"iccid": active["iccid"], "stops": ["owner", "credit", "forced"]})
    same("reasons", one("query/sim-stop-reason", **key)["stopReason"], "000020002020")
    same("not the owner's to lift", ask("change/sim-status", operType=1, **key), "12098")
    control("/card", {"iccid": active["iccid"], "stops": ["offer_expired"]})
    same("expired", ask("change/sim-status", operType=1, **key), "12099")
    control("/card", {"iccid": active["iccid"], "stops": ["owner"]})
    one("change/sim-status", operType=1, **key)
    one("change/sim-status", operType=6, iccid=ready["iccid"])
    advance(2)
    same("both work", [state(active), state(ready)], ["2", "2"])
    rows = one("query/sim-change-history", **key)["changeHistoryList"]
    moves = [(r["descStatus"], r["targetStatus"]) for r in sorted(rows, key=lambda r: r["changeDate"])]
    same("history", moves, [("1", "2"), ("2", "4"), ("4", "2")])
    feed = one("query/changeable-sim-date", changeDate=china(form="%Y%m%d"), cardStatus=2, pageSize=50, startNum=1)
    same("the feed names both", {r["iccid"] for r in feed["changeableSimList"]} >= {active["iccid"], ready["iccid"]}, True)
    advance(180)
    one("operate/sim-apn-function", apnName="CMIOT", operType=1, **key)
    advance(200)
    same("data off", one("query/apn-info", **key)["apnList"], [{"apnName": "CMIOT", "status": "0"}])
    one("operate/sim-apn-function", apnName="CMIOT", operType=0, **key)
    advance(200)
    before = one("query/sim-session", **key)["simSessionList"][0]
    one("operate/sim-gprs-status-reset", **key)
    advance(200)
    same("another session", one("query/sim-session", **key)["simSessionList"][0]["createDate"] > before["createDate"], True)


def batches():
    a, b = CARDS[4], CARDS[5]
    both = {"msisdns": f"{a['msisdn']}_{b['msisdn']}"}
    same("no reason given", ask("change/sim-status/batch", operType=9, **both), "11000")
    same("numbers of the single call", ask("change/sim-status/batch", operType=0, reason="01", **both), "11000")
    job = one("change/sim-status/batch", operType=9, reason="01", **both)["jobId"]
    same("waits", one("query/sim-batch-result", jobId=job), {"jobStatus": "0"})
    advance(1)
    same("at work", one("query/sim-batch-result", jobId=job), {"jobStatus": "1"})
    advance(1)
    result = one("query/sim-batch-result", jobId=job)
    same("done", (result["jobStatus"], [r["status"] for r in result["resultList"]]), ("2", ["0", "0"]))
    same("stopped", [truth(c)["base"] for c in (a, b)], ["stopped", "stopped"])
    advance(180)
    control("/card", {"iccid": b["iccid"], "stops": ["credit"]})
    job = one("change/sim-status/batch", operType=11, reason="01", **both)["jobId"]
    advance(2)
    result = one("query/sim-batch-result", jobId=job)
    same("done in part", (result["jobStatus"], [(r["resultId"], r["status"]) for r in result["resultList"]]),
         ("3", [(a["msisdn"], "0"), (b["msisdn"], "12098")]))
    advance(180)
    one("change/sim-status", operType=0, iccid=a["iccid"])
    c = CARDS[6]
    mixed = {"msisdns": f"{a['msisdn']}_{c['msisdn']}"}
    same("one cools down, all are refused", ask("change/sim-status/batch", operType=9, reason="01", **mixed), "13009")
    advance(2)
    same("and nothing is done to the other", truth(c)["base"], "active")


def faults():
    card = CARDS[6]
    key = {"iccid": card["iccid"]}
    stop = lambda: ask("change/sim-status", operType=0, **key)
    fault("onelink", "token_killed")
    same("killed by another's login", ask("query/sim-status", **key), "12021")
    TOKEN[0] = login()
    fault("onelink", "too_soon", iccid=card["iccid"], on="change/sim-status")
    same("too soon", (one("query/sim-status", **key)["cardStatus"], stop()), ("2", "13009"))
    fault("onelink", "error_body")
    same("an error in a 200", stop(), "19010")
    fault("onelink", "accepted_never_applied")
    stop()
    advance(200)
    same("accepted, never done", truth(card)["base"], "active")
    fault("onelink", "applied_but_timed_out")
    same("no answer", lost(stop), True)
    advance(200)
    same("but done", truth(card)["base"], "stopped")
    fault("onelink", "gbk")
    status, headers, body = raw("query/sim-status", {"transid": transid(), "token": TOKEN[0], **key})
    same("GBK", ("正确" in body.decode("gbk"), "GBK" in headers["content-type"]), (True, True))
    fault("onelink", "garbage_xml")
    body = raw("query/sim-status", {"transid": transid(), "token": TOKEN[0], **key})[2]
    same("garbage", body.startswith(b"<?xml") and b"\xff" in body, True)
    fault("onelink", "not_granted")
    same("not granted", ask("query/sim-status", **key), "12000")
    fault("onelink", "unavailable")
    same("503", raw("query/sim-status", {"transid": transid(), "token": TOKEN[0], **key})[0], 503)
    fault("onelink", "http_500")
    same("500", raw("query/sim-status", {"transid": transid(), "token": TOKEN[0], **key})[0], 500)
    pair = {"msisdns": f"{CARDS[7]['msisdn']}_{CARDS[8]['msisdn']}", "operType": 9, "reason": "01"}
    fault("onelink", "poisoned_batch")
    same("poisoned", ask("change/sim-status/batch", **pair), "13009")
    fault("onelink", "row_fails", iccid=CARDS[8]["iccid"])
    job = one("change/sim-status/batch", **pair)["jobId"]
    advance(2)
    result = one("query/sim-batch-result", jobId=job)
    same("a row failed", (result["jobStatus"], result["resultList"][1]["status"]), ("3", "12089"))
    same("no fault is left", control("/faults"), [])


def messages_and_groups():
    card, other = CARDS[9], CARDS[10]
    one("operate/sim-mt-sms", msisdns=card["msisdn"], actionid="T1", params="hello", encode="0")
    advance(1)
    control("/sms/mo", {"iccid": card["iccid"], "text": "pong"})
    sent = one("query/sim-mt-sms/batch", msisdns=card["msisdn"])["smsList"][0]
    same("sent", (sent["content"], sent["status"]), ("hello", "1"))
    same("received", one("query/sim-mo-sms/batch", msisdns=card["msisdn"])["smsList"][0]["content"], "pong")
    same("counted", one("query/sim-sms-usage", msisdn=card["msisdn"])["smsAmount"], "2")
    control("/card", {"iccid": card["iccid"], "use_bytes": 1 << 20})
    control("/card", {"iccid": other["iccid"], "use_bytes": 2 << 20})
    group = one("query/group-by-member", msisdn=card["msisdn"])["groupList"][0]["groupId"]
    same("the group's use", one("query/group-data-usage", groupId=group)["useAmount"], "3072")
    members = one("query/group-member", groupId=group, startNum=1, pageSize=50)["memberInfoList"]
    same("members", [m["msisdn"] for m in members], [card["msisdn"], other["msisdn"]])
    one("limit/group-member-data-usage", groupId=group, msisdn=card["msisdn"], operType=1, limitValue=2, actionRule=1)
    advance(2)
    for _ in range(3):
        control("/card", {"iccid": card["iccid"], "use_bytes": 1 << 20})
    same("stopped at its limit", truth(card)["month_bytes"], 2 << 20)
    control("/imei", {"iccid": card["iccid"], "imei": "490154203237518"})
    same("another device", one("query/sim-imei", msisdn=card["msisdn"])["imei"], "490154203237518")


def month_roll():
    card = CARDS[11]
    key = {"iccid": card["iccid"]}
    control("/card", {"iccid": card["iccid"], "use_bytes": 5 << 20})
    at = now()
    while china(at)[6:8] != "01":
        at += 86400 - (at + 8 * 3600) % 86400
    advance(at - now() + 1800)
    TOKEN[0] = login()
    fault("onelink", "month_roll")
    month = lambda: one("query/sim-data-usage", **key)["dataAmount"]
    same("the last month's figure in the first hours", [month(), month()], ["5120", "0"])


for part in [authentication, reading, usage, writes, batches, faults, messages_and_groups, month_roll]:
    part()
done()
