"""Random requests, sealed messages and pushes, as clients would make them."""
import json
import random
from urllib.parse import quote_plus

from cardboss_sign import OPERATIONS, push_signature, sealed, signature

TEXTS = ["wake", "a=1&b=2", "设备重启", "余额不足, 请充值", "100%", "x+y", "##", "é?", "短信 sms"]


def digits(rng, count):
    return "".join(rng.choice("0123456789") for _ in range(count))


def msisdn(rng):
    return "1" + digits(rng, rng.choice((10, 12)))


def iccid(rng):
    return "89" + "".join(rng.choice("0123456789abcdefABCDEF") for _ in range(rng.choice((17, 18))))


def value(rng, name):
    """A good value of a parameter; empty where it may be."""
    many = rng.choice((1, 1, 2, 5))
    return {
        "pageindex": lambda: str(rng.randrange(1, 99999)),
        "msisdns": lambda: ",".join(msisdn(rng) for _ in range(many)),
        "iccids": lambda: ",".join(iccid(rng) for _ in range(many)) if rng.random() < 0.5 else "",
        "msisdn": lambda: msisdn(rng),
        "iccid": lambda: iccid(rng) if rng.random() < 0.5 else "",
        "month": lambda: str(rng.randrange(1, 37)),
        "showday": lambda: rng.choice(("", "0", "1")),
        "day": lambda: "202603" + "%02d" % rng.randrange(1, 32),
        "pkgcode": lambda: rng.choice(("xagx031", "CN-100M-30D", "套餐一")),
        "stopkeep": lambda: rng.choice("01"),
        "opertype": lambda: rng.choice("01"),
        "apnname": lambda: rng.choice(("", "CMIOT", "CMMTMJSXZ")),
        "marginrat": lambda: rng.choice(("", "0", "30", "100")),
        "taskid": lambda: rng.choice(("", "77")),
        "mobile": lambda: ",".join("13" + digits(rng, 9) for _ in range(many)),
        "tplid": lambda: "T" + digits(rng, 3),
        "content": lambda: rng.choice(TEXTS) + rng.choice(TEXTS),
    }[name]()


def request(rng, path, apikey, encoding):
    params = {"sid": digits(rng, 5), "ts": "20260301" + digits(rng, 6)}
    for name in OPERATIONS[path][2]:
        params[name] = sealed("13800000000", rng.choice(TEXTS), apikey) if name == "text" else value(rng, name)
    if path == "card/usage/past":
        params["month"] = "2026%02d" % rng.randrange(1, 13)
    if path == "card/setvoicewhitetable":
        params["content"] = "13" + digits(rng, 9)
    if path == "sms/sendsms":
        params["content"] = "@1@=" + rng.choice(TEXTS)
    params = {name: text for name, text in params.items() if text or rng.random() < 0.5}
    params["sign"] = signature(path, params, apikey, encoding)
    if rng.random() < 0.1:
        params["sign"] = params["sign"].upper()
    names = list(params)
    rng.shuffle(names)
    sent = encoding if rng.random() < 0.7 else "utf-8"
    return "&".join(name + "=" + quote_plus(params[name], encoding=sent) for name in names)


def lines(count, seed):
    """request: path, apikey, encoding, form; seal: apikey, encoding, mobiles, content, text; push: apikey, JSON."""
    rng = random.Random(seed)
    for n in range(count):
        apikey = "%032x" % rng.getrandbits(128)
        encoding = rng.choice(("utf-8", "gb2312"))
        path = list(OPERATIONS)[n % len(OPERATIONS)]
        try:
            yield "\t".join(("request", path, apikey, encoding, request(rng, path, apikey, encoding)))
            content = rng.choice(TEXTS) * rng.randrange(1, 4)
            mobiles = ",".join(msisdn(rng) for _ in range(rng.randrange(1, 4)))
            yield "\t".join(("seal", apikey, encoding, mobiles, content, sealed(mobiles, content, apikey, encoding)))
        except UnicodeEncodeError:
            continue  # not a text of GB2312
        push = {"sid": digits(rng, 5), "id": digits(rng, 12), "sn": rng.choice(("OD1002", "OD1010")), "level": "info", "api": "",
                "time": "2026-03-01 12:00:00", "data": json.dumps({"msg": rng.choice(TEXTS)}, ensure_ascii=False),
                "desc": rng.choice(("", "续费结果"))}
        yield "\t".join(("push", apikey, json.dumps(dict(push, sign=push_signature(push, apikey)), ensure_ascii=False)))
