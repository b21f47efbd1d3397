#!/usr/bin/env python3
"""An independent client of the EIOTCLUB open API v3. Python standard library only.

  python3 eiotclub.py journey --base URL --appkey K --secret S --iccid I --package CODE
  python3 eiotclub.py vectors --count 200 --seed 7        one line each: secret, tab, signed body
"""
import argparse
import http.client
import json
import secrets
import sys
import time
from decimal import Decimal
from urllib.parse import urlsplit

sys.dont_write_bytecode = True  # these files stand in a source tree

from eiotclub_sign import compact, signature


class Answer:
    """One answer: the raw bytes, and the parsed object with fractions kept exact."""

    def __init__(self, status, raw):
        self.status, self.raw = status, raw
        try:
            self.json = json.loads(raw, parse_float=Decimal)
        except ValueError:
            raise SystemExit("not JSON (HTTP %d): %r" % (status, raw[:500])) from None

    @property
    def code(self):
        return self.json.get("code")

    @property
    def data(self):
        return self.json.get("data")


class Client:
    """Signs and posts over one connection that is kept open."""

    def __init__(self, base_url, appkey, secret, timeout=30):
        parts = urlsplit(base_url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=timeout)
        self.prefix = parts.path.rstrip("/") + "/api/v3/"
        self.appkey, self.secret = appkey, secret

    def sealed(self, params=None, **system):
        """The body bytes: business parameters, system parameters (replaced or, by None, removed), signature."""
        full = dict(params or {}, appkey=self.appkey, timestamp=int(time.time()), nonce=10000 + secrets.randbelow(90000))
        full.update((k, v) for k, v in system.items() if k != "sign")
        full = {k: v for k, v in full.items() if k not in system or system[k] is not None}
        full["sign"] = system["sign"] if "sign" in system else signature(full, self.secret)
        if full["sign"] is None:
            del full["sign"]
        return compact(full).encode("utf-8")

    def post(self, path, body):
        """Sends exactly these bytes; a kept connection that the server has closed is opened once more."""
        headers = {"Content-Type": "application/json;charset=utf-8"}
        for last in (False, True):
            try:
                self.connection.request("POST", self.prefix + path, body, headers)
                response = self.connection.getresponse()
                return Answer(response.status, response.read())
            except (ConnectionError, http.client.BadStatusLine):
                self.connection.close()
                if last:
                    raise

    def call(self, path, params=None, **system):
        return self.post(path, self.sealed(params, **system))

    def card_info(self, iccid):
        return self.call("card/getCardsInfo", {"iccid": iccid})

    def card_page(self, page, page_size=500, **filters):
        return self.call("card/getAllCardInfo", dict(filters, pageNum=str(page), pageSize=page_size))

    def all_cards(self, page_size=500, **filters):
        """Every page's answer, in order."""
        page, pages = 1, 1
        while page <= pages:
            answer = self.card_page(page, page_size, **filters)
            yield answer
            pages, page = (answer.data or {}).get("totalPage", 0), page + 1

    def product(self, iccid):
        return self.call("card/product", {"iccid": iccid})

    def packages(self, iccid):
        return self.call("package/listOrderPackageByIccid", {"iccid": iccid})

    def order_body(self, iccid, package, out_trade_no, **extra):
        """A signed order, to be posted to package/orderPackage as often as wanted."""
        return self.sealed(dict(extra, iccid=iccid, packageCode=package, outTradeNo=out_trade_no))

    def order(self, iccid, package, out_trade_no):
        return self.post("package/orderPackage", self.order_body(iccid, package, out_trade_no))

    def order_state(self, iccid, order_id):
        return self.call("package/queryPackage", {"iccid": iccid, "orderId": str(order_id)})

    def order_record(self, iccid, **filters):
        return self.call("package/packageOrderRecord", dict(filters, iccid=iccid))

    def refund_quote(self, iccid, order_id):
        return self.call("package/queryRefundAmount", {"iccid": iccid, "orderId": str(order_id)})

    def refund(self, iccid, order_id, remark):
        return self.call("package/refundPackage", {"iccid": iccid, "orderId": str(order_id), "remark": remark})

    def balance(self):
        return self.call("agent/balance")

    def traffic_daily(self, iccids, start, end):
        """Dates as yyyy-MM-dd. This operation publishes its nonce as a string."""
        period = {"dateType": "daily", "startDate": start, "endDate": end}
        return self.call("cdr/traffic/query", dict(period, iccids=",".join(iccids)), nonce="49890")

    def traffic_monthly(self, iccids, month):
        """Month as yyyy-MM."""
        return self.call("cdr/traffic/query", {"dateType": "monthly", "month": month, "iccids": ",".join(iccids)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    journey = commands.add_parser("journey", help="a partner's first day, checked; exits non-zero on the first failure")
    for name in ("base", "appkey", "secret", "iccid", "package"):
        journey.add_argument("--" + name, required=True)
    journey.add_argument("--foreign", metavar="ICCID", help="a card of another account")
    journey.add_argument("--costly", metavar="CODE", help="a package of this card that the balance does not cover")
    journey.add_argument("--page-size", type=int, default=500)
    journey.add_argument("--wait", type=float, default=10, help="seconds for an order to become done (default 10)")
    vectors = commands.add_parser("vectors", help="random signed bodies")
    vectors.add_argument("--count", type=int, default=200)
    vectors.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.command == "journey":
        from eiotclub_journey import run
        return run(Client(args.base, args.appkey, args.secret), args)
    from eiotclub_vectors import lines
    for line in lines(args.count, args.seed):
        sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
