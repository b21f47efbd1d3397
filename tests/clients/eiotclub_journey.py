"""A partner's journey: look, order, ask, pay, give back; and what must be refused. One line per check."""
import datetime
import re
import secrets
import sys
import time
from decimal import Decimal

from eiotclub_shapes import ANSWERS, REFUSAL, faults

NO_SMALL_COIN = {"JPY", "KRW", "VND"}
UNREFUNDABLE = {"42006", "42008", "45113"}


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

    def answer(self, path, answer, what=""):
        """A success of the published shape."""
        name = (path + " " + what).strip()
        self.that(name + ": HTTP 200, code \"200\"", answer.status == 200 and answer.code == "200", shown(answer))
        wrong = faults(answer.json, ANSWERS[path])
        self.that(name + ": every field of its published type", not wrong, "; ".join(wrong))
        return answer.data

    def refused(self, name, answer, *codes):
        """A refusal: HTTP 200, one of the codes as a string, a message."""
        good = answer.status == 200 and answer.code in codes and answer.json.get("message")
        self.that("%s: %s" % (name, " or ".join(codes)), good, shown(answer))
        wrong = faults(answer.json, REFUSAL)
        self.that(name + ": code and message are strings", not wrong, "; ".join(wrong))
        return answer.data


def shown(answer):
    return "HTTP %d %s" % (answer.status, answer.raw[:400].decode("utf-8", "replace"))


def unknown_iccid():
    """A well-formed ICCID with its check digit that nobody has."""
    digits = "8999" + "".join(str(secrets.randbelow(10)) for _ in range(15))
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def run(client, args):
    checks = Checks()
    look(client, args, checks)
    price = orderable(client, args, checks)
    before, currency = balance(client, checks)
    order, out_trade_no = place(client, args, checks)
    follow(client, args, checks, order, out_trade_no, price)
    after, _ = balance(client, checks)
    checks.same("the balance dropped by exactly the price", before - after, price)
    give_back(client, args, checks, order, price, currency)
    restored, _ = balance(client, checks)
    checks.same("the balance is restored", restored, before)
    traffic(client, args, checks)
    bad_callers(client, args, checks)
    bad_questions(client, args, checks, order)
    last, _ = balance(client, checks)
    checks.same("no refused call moved money", last, before)
    print("all %d checks passed" % checks.count)
    return 0


def look(client, args, checks):
    card = checks.answer("card/getCardsInfo", client.card_info(args.iccid))
    checks.same("card/getCardsInfo: the card asked for", card["iccid"], args.iccid)
    seen, pages = [], 0
    for answer in client.all_cards(args.page_size):
        pages += 1
        data = checks.answer("card/getAllCardInfo", answer, "page %d" % pages)
        full = pages == data["totalPage"] or len(data["cardInfoList"]) == args.page_size
        checks.that("card/getAllCardInfo: every page but the last is full", full, len(data["cardInfoList"]))
        seen += [row["iccid"] for row in data["cardInfoList"]]
    checks.same("card/getAllCardInfo: no card on two pages", len(seen), len(set(seen)))
    checks.that("card/getAllCardInfo: lists the card", args.iccid in seen, "%d cards without it" % len(seen))
    product = checks.answer("card/product", client.product(args.iccid))
    checks.same("card/product: as the card says", product["productCode"], card["productCode"])


def orderable(client, args, checks):
    packages = checks.answer("package/listOrderPackageByIccid", client.packages(args.iccid))
    prices = {row["packageCode"]: Decimal(row["price"]) for row in packages}
    checks.that("package/listOrderPackageByIccid: offers " + args.package, args.package in prices, sorted(prices))
    return prices[args.package]


def balance(client, checks):
    data = checks.answer("agent/balance", client.balance())
    checks.that("agent/balance: two decimals", re.fullmatch(r"-?\d+\.\d\d", data["balance"]), data["balance"])
    return Decimal(data["balance"]), data["currency"]


def place(client, args, checks):
    out_trade_no = secrets.token_hex(16)
    body = client.order_body(args.iccid, args.package, out_trade_no, note="未知字段/extra", flag=True)
    first = client.post("package/orderPackage", body)
    order = checks.answer("package/orderPackage", first, "with unknown fields")
    checks.same("package/orderPackage: orderId is whole", order["orderId"] % 1, 0)
    repeated = client.post("package/orderPackage", body)
    checks.same("the identical signed order answers byte for byte the same", repeated.raw, first.raw)
    twice = checks.refused("the same outTradeNo in a new request", client.order(args.iccid, args.package, out_trade_no), "42002")
    twice = twice if isinstance(twice, dict) else {}
    named = {key: twice.get(key) for key in ("orderId", "orderNumber")}
    checks.same("the refusal names the order there is", named, {key: order[key] for key in named})
    again = client.post("package/orderPackage", body)
    checks.same("the identical signed order still answers the same", again.raw, first.raw)
    return order, out_trade_no


def follow(client, args, checks, order, out_trade_no, price):
    deadline = time.monotonic() + args.wait
    while True:
        state = checks.answer("package/queryPackage", client.order_state(args.iccid, order["orderId"]))
        if state["status"] != 0 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    checks.same("package/queryPackage: done", state["status"], 1)
    answer = client.order_record(args.iccid, page=1, pageSize=50, orderBy="createDateDesc")
    records = checks.answer("package/packageOrderRecord", answer)
    mine = [row for row in records if row["orderId"] == order["orderId"]]
    checks.same("package/packageOrderRecord: holds the order once", len(mine), 1)
    record = mine[0]
    checks.same("package/packageOrderRecord: its outTradeNo", record.get("outTradeNo"), out_trade_no)
    checks.same("package/packageOrderRecord: its package", record["packageCode"], args.package)
    checks.same("package/packageOrderRecord: its price", Decimal(record["price"]), price)
    checks.same("package/packageOrderRecord: not refunded", record["isRefund"], 0)
    checks.that("package/packageOrderRecord: total counts them", answer.json["total"] >= len(records), answer.json["total"])
    narrow = client.order_record(args.iccid, orderIdArrStr=str(order["orderId"]))
    only = checks.answer("package/packageOrderRecord", narrow, "by order id")
    checks.same("package/packageOrderRecord: by order id finds one", [row["orderId"] for row in only], [order["orderId"]])


def give_back(client, args, checks, order, price, currency):
    quote = checks.answer("package/queryRefundAmount", client.refund_quote(args.iccid, order["orderId"]))
    checks.same("package/queryRefundAmount: all of it within 24 hours", Decimal(quote["amount"]), price)
    scale = 1 if currency in NO_SMALL_COIN else 100
    checks.same("package/queryRefundAmount: in minor units", quote["amount_int"], int(price * scale))
    checks.same("package/queryRefundAmount: the account's currency", quote["currency"], currency)
    done = checks.answer("package/refundPackage", client.refund(args.iccid, order["orderId"], "测试退款"))
    checks.same("package/refundPackage: data is {}", done, {})
    state = checks.answer("package/queryPackage", client.order_state(args.iccid, order["orderId"]))
    checks.same("package/queryPackage: refunded", state["status"], -1)
    records = checks.answer("package/packageOrderRecord", client.order_record(args.iccid, orderIdArrStr=str(order["orderId"])))
    checks.same("package/packageOrderRecord: refunded", [(row["isRefund"], row["state"]) for row in records], [(1, 2)])
    checks.refused("a second refund", client.refund(args.iccid, order["orderId"], "again"), *sorted(UNREFUNDABLE))


def traffic(client, args, checks):
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()
    start = (today - datetime.timedelta(days=6)).isoformat()
    daily = client.traffic_daily([args.iccid], start, today.isoformat())
    monthly = client.traffic_monthly([args.iccid], today.isoformat()[:7])
    for what, answer in (("daily", daily), ("monthly", monthly)):
        rows = checks.answer("cdr/traffic/query", answer, what)
        good = all(row["iccid"] == args.iccid and row["traffic"].isdigit() for row in rows) and len(rows) <= 1
        checks.that("cdr/traffic/query %s: whole bytes of the card asked for" % what, good, rows)


def bad_callers(client, args, checks):
    call = lambda **system: client.call("agent/balance", None, **system)
    checks.refused("a wrong signature", call(sign="0" * 40), "42402")
    checks.refused("a signature of another length", call(sign="0"), "42402")
    checks.refused("no signature", call(sign=None), "42401")
    checks.refused("an empty signature", call(sign=""), "42401")
    now = int(time.time())
    checks.refused("a stale timestamp", call(timestamp=now - 3600), "42203")
    checks.refused("a timestamp from the future", call(timestamp=now + 3600), "42203")
    checks.refused("a timestamp in milliseconds", call(timestamp=now * 1000), "42203")
    checks.refused("no timestamp", call(timestamp=None), "42201")
    checks.refused("a timestamp that is no number", call(timestamp="now"), "42204")
    checks.refused("no nonce", call(nonce=None), "42301")
    checks.refused("no appkey", call(appkey=None), "42101")
    checks.refused("an unknown appkey", call(appkey="no-such-" + secrets.token_hex(4)), "42102")
    body = client.sealed({"iccid": args.iccid})
    changed = body.replace(args.iccid.encode(), unknown_iccid().encode())
    checks.refused("a signed body with a changed value", client.post("card/getCardsInfo", changed), "42402")


def bad_questions(client, args, checks, order):
    unknown = client.card_info(unknown_iccid())
    checks.refused("an unknown card", unknown, "42405")
    if args.foreign:
        foreign = client.card_info(args.foreign)
        checks.refused("another account's card", foreign, "42405")
        checks.same("a foreign card answers exactly as an unknown one", foreign.raw, unknown.raw)
        checks.refused("an order for another account's card", client.order(args.foreign, args.package, secrets.token_hex(16)), "42405")
    for bad in ("", "123", "8986-0420000097891"):
        checks.refused("the ICCID %r" % bad, client.card_info(bad), "41003")
    checks.refused("an unknown package", client.order(args.iccid, "no-such-package", secrets.token_hex(16)), "42007")
    if args.costly:
        checks.refused("a package beyond the balance", client.order(args.iccid, args.costly, secrets.token_hex(16)), "45112")
    checks.refused("an outTradeNo of 33 characters", client.order(args.iccid, args.package, "x" * 33), "42001")
    checks.refused("an empty outTradeNo", client.order(args.iccid, args.package, ""), "42001")
    missing = int(order["orderId"]) + 10**12
    checks.refused("the state of an unknown order", client.order_state(args.iccid, missing), "42004")
    checks.refused("the refund quote of an unknown order", client.refund_quote(args.iccid, missing), "42004")
    checks.refused("the refund of an unknown order", client.refund(args.iccid, missing, "x"), "42004")
