"""A partner's journey: every operation, checked, and what must be refused. One line per check."""
import datetime
import http.server
import json
import queue
import sys
import threading
import time

from cardboss import CHINA
from cardboss_hostile import run as hostile
from cardboss_sign import OPERATIONS, push_signature, sealed


class Checks:
    def __init__(self):
        self.count = 0

    def that(self, name, good, found=""):
        """Prints one line; ends the run when the check fails."""
        if not good:
            print("FAIL %s: %s" % (name, found), flush=True)
            sys.exit(1)
        self.count += 1
        print("ok   " + name, flush=True)

    def same(self, name, found, wanted):
        self.that(name, found == wanted, "found %r, wanted %r" % (found, wanted))

    def good(self, path, answer):
        """A success in the published envelope; its payload."""
        self.that(path + ": HTTP 200, code \"0\"", answer.status == 200 and answer.code == "0", shown(answer))
        texts = [answer.json.get(name) for name in ("code", "msg", "detail")]
        self.that(path + ": code, msg and detail are texts", all(isinstance(text, str) for text in texts), texts)
        return answer.json.get("customer") or answer.json.get("result")

    def refused(self, name, answer, code):
        good = answer.status == 200 and answer.code == code and answer.json.get("msg") and isinstance(answer.json.get("detail"), str)
        self.that("%s: %s" % (name, code), good, shown(answer))


def shown(answer):
    return "HTTP %d %s" % (answer.status, answer.raw[:400].decode("utf-8", "replace"))


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes data pushes, of which the first one is refused, so that it has to come again; and pushes about messages."""

    taken, messages, refused_one = queue.Queue(), queue.Queue(), []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/s":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"success")
            Receiver.messages.put(json.loads(body))
            return
        first = not Receiver.refused_one
        Receiver.refused_one.append(body)
        self.send_response(500 if first else 204)
        self.end_headers()
        if not first:
            Receiver.taken.put((Receiver.refused_one[0], body))

    def log_message(self, *_):
        pass


def run(client, args):
    checks = Checks()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.receive), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    look(client, args, checks)
    renew(client, args, checks)
    act(client, args, checks)
    message(client, args, checks)
    refuse(client, args, checks)
    hostile(client, args, checks)
    print("all %d checks passed" % checks.count)
    return 0


def look(client, args, checks):
    today = datetime.datetime.now(CHINA)
    customer = checks.good("customer/get", client.call("customer/get"))
    checks.same("customer/get: the sid that asks", customer["sid"], client.sid)
    page = checks.good("card/list", client.call("card/list", pageindex="1"))
    checks.that("card/list: has the card", args.card in [c["msisdn"] for c in page["cards"]], page)
    checks.same("card/list: both spellings", [c["msisdn"] for c in page["cards"]], [c["msisdns"] for c in page["cards"]])
    detail = checks.good("card/detail", client.call("card/detail", msisdns=args.card))["cards"][0]
    by_iccid = checks.good("card/detail", client.call("card/detail", msisdns="", iccids=detail["iccid"]))["cards"][0]
    checks.same("card/detail: the same card by its ICCID", by_iccid, detail)
    now = checks.good("card/usage/current", client.call("card/usage/current", msisdns=args.card))["usages"][0]
    past = checks.good("card/usage/past", client.call("card/usage/past", month=today.strftime("%Y%m"), msisdns=args.card))["usages"][0]
    day = checks.good("card/usage/day", client.call("card/usage/day", day=today.strftime("%Y%m%d"), msisdns=args.card))
    checks.same("card/usage: the month in both questions", now["flowusage"], past["flowusage"])
    checks.that("card/usage/day: a day is a part of its month", day["usages"][0]["usage"] <= now["flowusage"], day)
    checks.same("card/detail: uses what card/usage/current says", detail["flowusage"], now["flowusage"])
    for path, params in (("card/abnormal", {"pageindex": "1"}), ("pool/list", {}), ("card/pkg/get", {"msisdn": args.card})):
        result = checks.good(path, client.call(path, **params))
        rows = next(value for value in result.values() if isinstance(value, list))
        checks.same(path + ": counts what it lists", result["count"], len(rows))


def renew(client, args, checks):
    path = "card/pkg/renew"
    before = client.call("customer/get").json["customer"]["balance"]
    wanted = {"msisdn": args.card, "iccid": "", "pkgcode": args.package, "month": args.months, "audit": "2", "remark": "续费"}
    form = client.sealed(path, **wanted)
    first = client.send(path, form)
    order = checks.good(path, first)
    checks.that(path + ": names the order", order["orderid"].startswith("CR") and len(order["orderid"]) == 18, order)
    checks.same(path + ": the same form again answers the same", client.send(path, form).raw, first.raw)
    checks.refused("the same signature with another audit", client.send(path, form.replace("audit=2", "audit=1")), "1005")
    after = client.call("customer/get").json["customer"]["balance"]
    checks.same(path + ": charged once", before - after, order["orderamount"])
    packages = checks.good("card/pkg/get", client.call("card/pkg/get", msisdn=args.card))
    checks.that(path + ": the package is there", args.package in [p["pkgcode"] for p in packages["pkgs"]], packages)
    refused, taken = Receiver.taken.get(timeout=30)
    for body in (json.loads(refused), json.loads(taken)):
        checks.same("OD1002: signed", body["sign"], push_signature(body, client.apikey))
    checks.same("OD1002: comes again under its id", json.loads(refused)["id"], json.loads(taken)["id"])
    push = json.loads(taken)
    data = json.loads(push["data"])
    checks.same("OD1002: tells of the order", (push["sn"], data["status"], data["orderid"]), ("OD1002", "1", order["orderid"]))
    manual = dict(wanted, audit="1", repetition="1", startdate=(datetime.date.today() + datetime.timedelta(days=400)).isoformat())
    # The date is not signed: within one second two dates for one card are one signature with two bodies.
    client.offset += 1
    held = checks.good(path, client.call(path, **manual))
    client.offset += 1
    checks.refused("a second renewal while one is reviewed", client.call(path, **wanted), "1080")
    client.offset += 1
    again = client.call(path, **dict(wanted, remark="another"))
    checks.that("1080: names the order in the way", held["orderid"] in again.json["detail"], shown(again))


def act(client, args, checks):
    """The acts that are passed to the carrier, on a card whose carrier answers."""
    card = {"msisdn": args.acting, "iccid": ""}
    acts = (("card/foractive", {}), ("card/stopkeep", {"stopkeep": "0"}),
            ("card/switchnet", {"apnname": "", "opertype": "0", "marginrat": ""}))
    for path, params in acts:
        checks.good(path, client.call(path, **card, **params))
        if path == "card/foractive":
            # A card that is in use has no test to end: that is so at once, and again.
            for _ in range(2):
                client.offset += 1
                checks.good("card/stoptest", client.call("card/stoptest", **card))
        client.offset += 1
        again = client.call(path, **card, **params)
        checks.refused(path + " again within three minutes", again, "1099")
        checks.that(path + " again: the carrier's code in detail", "13009" in again.json["detail"], shown(again))
    path, params = "card/setvoicewhitetable", {"opertype": "1", "taskid": "", "content": "13800000001"}
    checks.good(path, client.call(path, **card, **params))
    client.offset += 1
    again = client.call(path, **card, **dict(params, content="13800000002"))
    wanted = ("13010", [])
    checks.same(path + " again within a minute: the carrier's own envelope", (again.json.get("status"), again.json.get("result")), wanted)
    detail = client.call("card/detail", msisdns=args.acting, iccids="").json["result"]["cards"][0]
    checks.same("card/detail: a stopped card of an account that is on", (detail["msstatus"], detail["state"]), ("3", "1"))


def message(client, args, checks):
    """Messages in both encodings, plain, encrypted and by template; what became of them."""
    tasks = []
    for encoding in ("utf-8", "gb2312"):
        client.offset += 1
        sent = checks.good("sms/sendlotsms", client.call("sms/sendlotsms", encoding, mobile=args.acting, content="设备重启 " + encoding))
        checks.same("sms/sendlotsms: one message of one part, in " + encoding, (sent["count"], sent["fee"]), (1, 1))
        tasks.append(sent["taskid"])
    text = sealed(args.acting, "wake", client.apikey)
    tasks.append(checks.good("sms/sendiotencryptsms", client.call("sms/sendiotencryptsms", text=text))["taskid"])
    before = client.call("customer/get").json["customer"]["balance"]
    phone = {"mobile": "13800000001,13800000002", "tplid": args.template, "content": "@1@=王|@2@=1G"}
    checks.same("sms/sendsms: two telephones", checks.good("sms/sendsms", client.call("sms/sendsms", **phone))["count"], 2)
    after = client.call("customer/get").json["customer"]["balance"]
    checks.that("sms/sendsms: is paid", after < before, (before, after))
    seen, deadline = set(), time.monotonic() + 30
    while not set(tasks) <= seen and time.monotonic() < deadline:
        reports = checks.good("sms/rpt/get", client.call("sms/rpt/get"))["rpts"]
        checks.that("sms/rpt/get: nothing twice", not seen & {r["taskid"] for r in reports if r["taskid"] in tasks}, reports)
        seen |= {r["taskid"] for r in reports}
        time.sleep(0.5)
    checks.that("sms/rpt/get: tells of every message", set(tasks) <= seen, (tasks, seen))
    push = Receiver.messages.get(timeout=30)
    row = json.loads(push["data"])[0]
    checks.same("P0001: its fields", (push["type"], sorted(row)), ("P0001", ["mobile", "state", "taskId"]))
    checks.good("sms/mo/get", client.call("sms/mo/get"))
    for name, text, code in (("broken Base64", "%%%", "1042"), ("a text that does not decrypt", "YWJj", "1040"),
                             ("nothing in it", sealed("", "", client.apikey), "1041")):
        checks.refused(name, client.call("sms/sendiotencryptsms", text=text), code)


def refuse(client, args, checks):
    for path, (method, _, _) in OPERATIONS.items():
        other = "POST" if method == "GET" else "GET"
        checks.refused(path + " by " + other, client.send(path, client.sealed(path), method=other), "1004")
        checks.refused(path + " without sid", client.send(path, "ts=20260301120000&sign=" + "0" * 32), "1012")
    checks.refused("a wrong apikey", client.call("customer/get", sign="0" * 32), "1005")
    checks.refused("a stale timestamp", client.call("customer/get", ts="20200101000000"), "1005")
    checks.refused("no number at all", client.call("card/detail", msisdns="", iccids=""), "1012")
    checks.refused("101 numbers", client.call("card/detail", msisdns=",".join([args.card] * 101)), "1031")
    checks.refused("a stranger's card", client.call("card/detail", msisdns=args.foreign), "1032")
    checks.refused("a month of 0", client.call("card/pkg/renew", msisdn=args.card, pkgcode=args.package, month="0"), "1031")
    checks.refused("an unknown package", client.call("card/pkg/renew", msisdn=args.card, pkgcode="no-such", month="12"), "1031")
    day = (datetime.datetime.now(CHINA) - datetime.timedelta(days=8)).strftime("%Y%m%d")
    checks.refused("a day 8 days ago", client.call("card/usage/day", day=day, msisdns=args.card), "1031")
