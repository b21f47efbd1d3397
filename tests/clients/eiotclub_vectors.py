"""Random signed bodies, as clients of many makes would send them."""
import random

from eiotclub_sign import Number, compact, quote, signature

TEXTS = ["", "wx", "中文备注", "a/b", "x=1", "R&D", "é", "😀", 'say "hi"', "back\\slash", "8986042000009789134", "true", "1", " "]
NUMBERS = ["0", "-1", "24", "1e3", "1E+3", "1.0", "0.10", "9007199254740993", "-0", "123456789012345678901234567890", "2.50"]
NAMES = ["iccid", "packageCode", "outTradeNo", "remark", "pageNum", "pageSize", "state", "orderIdArrStr", "userName", "zz", "A", "_x", "zz1", "A0", "_x-"]


def value(rng, depth=0):
    kind = rng.randrange(12 if depth < 3 else 8)
    if kind < 4:
        return rng.choice(TEXTS) + rng.choice(TEXTS)
    if kind < 6:
        return Number(rng.choice(NUMBERS))
    if kind == 6:
        return rng.random() < 0.5
    if kind == 7:
        return None
    if kind < 10:
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(TEXTS) + str(i): value(rng, depth + 1) for i in range(rng.randrange(3))}


def written(rng, item):
    """JSON text with white space and escapes at the writer's whim; numbers stay as they are."""
    gap = lambda: " " * rng.choice((0, 0, 0, 1, 2))
    if isinstance(item, dict):
        return "{" + gap() + ",".join(gap() + written(rng, k) + gap() + ":" + gap() + written(rng, v) + gap() for k, v in item.items()) + "}"
    if isinstance(item, list):
        return "[" + gap() + ",".join(gap() + written(rng, v) + gap() for v in item) + "]"
    if isinstance(item, str) and not isinstance(item, Number):
        return quote(item, escaped=rng.random() < 0.5)
    return compact(item)


def lines(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        secret = "%032x" % rng.getrandbits(128)
        params = {name: value(rng) for name in rng.sample(NAMES, rng.randrange(1, 7))}
        stamp, nonce = str(rng.randrange(1500000000, 1900000000)), str(rng.randrange(10000, 100000))
        params["appkey"] = "%06d" % rng.randrange(1000000)
        params["timestamp"] = rng.choice((str, Number))(stamp)
        params["nonce"] = rng.choice((str, Number))(nonce)
        form = {name: rng.random() < 0.5 for name in ("digits", "keep_empty", "escaped")}
        if rng.random() < 0.3:
            # As the published Java sample writes and sorts.
            form = {"by_pairs": True, "keep_empty": form["keep_empty"]}
        sign = signature(params, secret, **form)
        params["sign"] = sign.lower() if rng.random() < 0.1 else sign
        names = list(params)
        rng.shuffle(names)
        yield secret + "\t" + written(rng, {name: params[name] for name in names})
