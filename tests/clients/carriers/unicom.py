"""A client of China Unicom's gateway that shares no code with the simulator or with Kachi; its SM3 is written here."""
import json

from wire import CARDS, URL, advance, call, china, control, done, fault, lost, now, same, truth

APP, SECRET, OPEN = "demoApp001", "demoSecret9876", "demoOpen1"
A, B, READY, FOREIGN = CARDS[:4]
COUNT = [0]


def sm3(data):
    mask = 0xFFFFFFFF
    turn = lambda x, n: (x << n % 32 | x >> (32 - n % 32)) & mask if n % 32 else x
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    for at in range(0, len(padded), 64):
        w = [int.from_bytes(padded[at + i:at + i + 4], "big") for i in range(0, 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ turn(w[j - 3], 15)
            w.append(x ^ turn(x, 15) ^ turn(x, 23) ^ turn(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            s = turn((turn(a, 12) + e + turn(0x79CC4519 if j < 16 else 0x7A879D8A, j)) & mask, 7)
            ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
            gg = e ^ f ^ g if j < 16 else e & f | ~e & g & mask
            t1 = (ff + d + (s ^ turn(a, 12)) + (w[j] ^ w[j + 4])) & mask
            t2 = (gg + h + s + w[j]) & mask
            a, b, c, d, e, f, g, h = t1, a, turn(b, 9), c, t2 ^ turn(t2, 9) ^ turn(t2, 17), e, turn(f, 19), g
        v = [x ^ y for x, y in zip(v, [a, b, c, d, e, f, g, h])]
    return "".join(f"{x:08x}" for x in v)


VECTOR = "app_iddemoApp001timestamp2018-12-05 10:23:35 649trans_id20181205102335649500357demoSecret9876"
assert sm3(VECTOR.encode()) == "13b305b29c92ec4abe0b67131f9b006205b2b9324d9f2757e7c69bb5b8d240b9", "the published vector"


def request(data, at=None, secret=SECRET, **more):
    COUNT[0] += 1
    at = now() if at is None else at
    timestamp, number = china(at, "%Y-%m-%d %H:%M:%S") + " 649", china(at) + f"649{COUNT[0]:06d}"
    body = {"app_id": APP, "timestamp": timestamp, "trans_id": number}
    body["token"] = sm3(f"app_id{APP}timestamp{timestamp}trans_id{number}{secret}".encode())
    body["data"] = {"messageId": "m1", "openId": OPEN, "version": "1.0", **data}
    return {**body, **more}


def send(api, body):
    status, _, answer = call(f"{URL}/api/{api}/V1/1Main/vV1.1", json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    same(api, status, 200)
    return json.loads(answer)


def ask(api, **data):
    answer = send(api, request(data))
    same("outside", (answer["status"], answer["data"]["messageId"]), ("0000", "m1"))
    return answer["data"]


def detail(card):
    return ask("wsGetTerminalDetails", iccids=[card["iccid"]])["terminals"][0]


def edit(card, kind, value):
    return ask("wsEditTerminal", asynchronous="0", iccid=card["iccid"], changeType=kind, targetValue=value)["resultCode"]


def authentication():
    data = {"iccids": [A["iccid"]]}
    status = lambda body: send("wsGetTerminalDetails", body)["status"]
    good = request(data)
    same("well signed", status(good), "0000")
    same("the same number again", status(good), "1005")
    same("another secret", status(request(data, secret="demoSecret9877")), "1003")
    same("an old time, well signed", status(request(data, at=now() - 301)), "1004")
    same("a time to come", status(request(data, at=now() + 301)), "1004")
    import hashlib
    body = request(data)
    plain = f"app_id{APP}timestamp{body['timestamp']}trans_id{body['trans_id']}{SECRET}".encode()
    same("SHA-256", status({**body, "token": hashlib.sha256(plain).hexdigest()}), "1003")
    same("another openId", status(request({**data, "openId": "x"})), "1002")
    same("no such call", send("wsNothing", request(data))["status"], "1006")


def reading():
    row = detail(A)
    same("numbers", (row["imsi"], row["msisdn"], row["imei"], row["simStatus"]), (A["imsi"], A["msisdn"], A["imei"], "2"))
    same("ready", detail(READY)["simStatus"], "1")
    same("another's", ask("wsGetTerminalDetails", iccids=[FOREIGN["iccid"]])["resultCode"], "1011")
    same("51", ask("wsGetTerminalDetails", iccids=[A["iccid"]] * 51)["resultCode"], "1000")
    same("in a session", ask("wsGetSessionInfo", iccid=A["iccid"])["ipAddress"], truth(A)["session"]["ip"])
    same("named", ask("realNameStatusQuery", iccid=A["iccid"])["rspcode"], "0001")


def writes():
    same("stop", edit(A, 3, "3"), "0000")
    same("not at once", detail(A)["simStatus"], "2")
    advance(2)
    same("then", (detail(A)["simStatus"], ask("wsGetSessionInfo", iccid=A["iccid"])["ipAddress"]), ("3", None))
    same("too soon", edit(A, 3, "2"), "1026")
    advance(180)
    same("resume", edit(A, 3, "2"), "0000")
    same("activate", edit(READY, 3, "2"), "0000")
    advance(182)
    same("both", [detail(c)["simStatus"] for c in (A, READY)], ["2", "2"])
    same("back to ready is no way", edit(A, 3, "1"), "1025")
    same("plan", edit(A, 4, "PLAN-B"), "0000")
    advance(182)
    same("override", edit(A, "7", "PERMANENT_OVERRIDE"), "0000")
    advance(182)
    same("both are there", (detail(A)["ratePlan"], detail(A)["overageLimitOverride"]), ("PLAN-B", "PERMANENT_OVERRIDE"))
    same("no such feature", edit(A, 99, "x"), "1000")
    same("data off", ask("wsEditNetworkAccessConfig", iccid=A["iccid"], nacId="NAC-OFF")["resultCode"], "0000")
    advance(182)
    same("off", (ask("wsGetNetworkAccessConfig", iccids=[A["iccid"]])["nacs"][0]["nacId"], truth(A)["online"]), ("NAC-OFF", False))
    ask("wsEditNetworkAccessConfig", iccid=A["iccid"], nacId="COMM-1")
    advance(182)
    same("on", truth(A)["online"], True)
    changed = ask("wsGetModifiedTerminals", since=china(now() - 200, "%Y-%m-%d %H:%M:%S"))
    same("the feed names it", A["iccid"] in [t["iccid"] for t in changed["terminals"]], True)
    control("/card", {"iccid": B["iccid"], "stops": ["credit"]})
    same("not the owner's", edit(B, 3, "2"), "1025")
    control("/card", {"iccid": B["iccid"], "stops": []})


def usage():
    month = lambda: detail(A)["monthToDateDataUsage"]
    control("/card", {"iccid": A["iccid"], "use_bytes": 12939428})
    same("a quarter of an hour late", month(), 0)
    advance(901)
    same("then it shows", month(), 12.34)
    fault("unicom", "counter_down")
    same("down, and up again", [month(), month()], [6.17, 12.34])
    label = china()[:6]
    closed = lambda cycle: ask("wsGetTerminalUsage", iccid=A["iccid"], billingCycle=cycle)
    same("the running cycle is not told", closed(label)["resultCode"], "1074")
    rows = ask("wsGetTerminalUsageDataDetails", iccid=A["iccid"], cycleStartDate=china()[:8], pageNumber=1)["usageDetails"]
    same("one session", [r["dataVolume"] for r in rows], [12.34])
    at = now()
    while china(at)[6:8] != "27":
        at += 86400 - (at + 8 * 3600) % 86400
    advance(at - now() - 1)
    same("on the 26th", month(), 12.34)
    advance(1)
    fault("unicom", "month_roll")
    same("on the 27th", [month(), closed(label)["resultCode"], closed(label)["totalDataVolume"]], [12.34, "0000", 12.34])
    advance(901)
    same("a new cycle", month(), 0)


def faults():
    stop = lambda: edit(B, 3, "3")
    fault("unicom", "error_body")
    same("an error within", send("wsEditTerminal", request({}))["data"]["resultCode"], "9999")
    fault("unicom", "rate_limited")
    same("limited", send("wsEditTerminal", request({}))["status"], "1007")
    fault("unicom", "accepted_never_applied")
    same("accepted", stop(), "0000")
    advance(181)
    same("never done", detail(B)["simStatus"], "2")
    fault("unicom", "applied_but_timed_out", on="wsEditTerminal")
    same("no answer", lost(stop), True)
    advance(2)
    same("but done", detail(B)["simStatus"], "3")
    fault("unicom", "gbk")
    raw = call(f"{URL}/api/wsStatus/V1/1Main/vV1.1", json.dumps(request({"iccid": A["iccid"]})).encode())[2]
    same("GBK", "成功" in raw.decode("gbk"), True)
    same("no fault is left", control("/faults"), [])


for part in [authentication, reading, writes, usage, faults]:
    part()
done()
