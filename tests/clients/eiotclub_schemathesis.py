#!/usr/bin/env python3
"""Schemathesis against the partner door: requests made from the published contract, good and bad ones, each signed as a
client signs, each answer held against the contract. Run by crates/server/tests/schemathesis.rs.

  eiotclub_schemathesis.py --base URL --appkey K --secret S --known FILE --examples 20 --seed 7

FILE is JSON: numbers that the server knows, by the name of the field (or operation.field) they go into; with those of a few
orders made first, about half of the good requests have them.
An answer is as declared when it is HTTP 200, and either a success whose every field is as the contract says, or a refusal with
a code that tests/contracts/eiotclub.calls.txt lists for the operation, its published words and data that is null or as declared.
"""
import argparse
import json
import pathlib
import random
import sys
import time

sys.dont_write_bytecode = True  # these files stand in a source tree

import hypothesis
import schemathesis
import yaml
from schemathesis.checks import CheckContext, load_all_checks
from schemathesis.config import ChecksConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from eiotclub import Client
from eiotclub_sign import signature

CONTRACTS = pathlib.Path(__file__).resolve().parent.parent / "contracts"
# Who asks, when, how it is signed, and that the body is no request: of every operation. Not 500: that is a fault.
COMMON = {42102, 42104, 42201, 42203, 42204, 42301, 42401, 42402, 43332}

# What these do cannot be done again, and others need what they end.
ENDS = ("delete", "refund", "refundPackage", "unsub", "remove", "transferPkg")
# A card is unlocked only after it was seen in a wrong device, and that no request can bring about.
NEEDS_MORE = ("/api/v3/card/imeiUnlock",)


def listed_codes():
    """The codes of each operation that its calls provoke."""
    codes = {}
    for line in (CONTRACTS / "eiotclub.calls.txt").read_text("utf-8").splitlines():
        columns = [c.strip() for c in line.split(" | ")]
        if len(columns) > 2 and not line.startswith("#"):
            codes.setdefault(columns[0].split(": ")[-1], set()).add(int(columns[1]))
    return codes


def strict(schema):
    """A field that is not declared is a fault too."""
    if isinstance(schema, dict):
        schema = {name: strict(inner) for name, inner in schema.items()}
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    elif isinstance(schema, list):
        schema = [strict(inner) for inner in schema]
    return schema


def answers(path, good, codes, words):
    """The schema of a success or a listed refusal."""
    good = strict(good)
    as_text = good["properties"]["code"]["type"] == "string"
    code = (lambda n: str(n)) if as_text else (lambda n: n)
    if path == "card/reset":  # its task's number is ours: QUIRKS.md
        task = {"taskId": {"type": "string"}}
        good["properties"]["data"] = {"type": "object", "properties": task, "required": ["taskId"], "additionalProperties": False}
    declared = good["properties"].get("data", {"type": "null"})
    good["properties"]["code"] = {"const": code(200)}
    texts = sorted({text for c in codes for text in (words[c]["zh"] or words[c]["en"], words[c]["en"])})
    refusal = {
        "type": "object",
        "properties": {
            "code": {"enum": [code(c) for c in sorted(codes)]},
            "message": {"enum": texts},
            "data": {"anyOf": [{"type": "null"}, declared]},
        },
        "required": ["code", "message", "data"],
        "additionalProperties": False,
    }
    if "total" in good["properties"]:
        refusal["properties"]["total"] = {"const": 0}
        refusal["required"].append("total")
    return {"oneOf": [good, refusal]}


def contract():
    """The published contract, without the fields that the hook adds to every request."""
    raw = yaml.safe_load((CONTRACTS / "eiotclub.openapi.yaml").read_text("utf-8"))
    words = yaml.safe_load((CONTRACTS / "eiotclub.codes.yaml").read_text("utf-8"))
    raw.pop("webhooks", None)
    listed = listed_codes()
    for full, item in raw["paths"].items():
        path = full[len("/api/v3/"):]
        content = item["post"]["requestBody"]["content"]["application/json"]
        content["schema"] = content["schema"]["allOf"][1]
        answer = item["post"]["responses"]["200"]["content"]["application/json"]
        answer["schema"] = answers(path, answer["schema"], (listed[path] - {200}) | COMMON, words)
    return raw


def with_orders(known, client):
    """Buys one of each kind of thing, and adds the numbers to the known ones."""
    def act(path, **fields):
        answer = client.call(path, fields)
        assert str(answer.code) == "200", "%s %r: %s" % (path, fields, answer.raw)
        return answer.data

    card, eid, package = known["iccid"][0], known["eid"][0], known["packageCode"][0]
    order, moves = (act("package/orderPackage", iccid=card, packageCode=package, outTradeNo=n) for n in ("first", "moves"))
    package = known["cloudesim/purchase.packageCode"][0]
    by_eid, eid_moves = (act("cloudesim/purchase", eid=eid, packageCode=package, outTradeNo=n) for n in ("second", "eid moves"))
    esim = act("esim/purchase", eSIMGoodsCode=known["eSIMGoodsCode"][0], outTradeNo="third")
    pool, empty = (act("pool/create", pool_type_code=known["pool_type_code"][0])["pool_object_id"] for _ in range(2))
    bought = act("pool/sub", pool_object_id=pool, pool_type_code=known["pool_type_code"][0], out_trade_no="fourth")
    task = act("card/reset", iccids=card)["taskId"]
    numbers = {
        "orderId": [order["orderId"]], "orderNumber": [order["orderNumber"]], "orderNumberArrStr": [order["orderNumber"]],
        "outTradeNoArrStr": ["first", "first,second"], "orderIdArrStr": [order["orderId"]], "ids": [task],
        "card/transferPkg.orderId": [moves["orderId"]], "card/transferPkg.orderNumber": [moves["orderNumber"]],
        "eshopOrderId": [by_eid["eshopOrderId"]], "oldEshopOrderId": [eid_moves["eshopOrderId"]],
        "pool_object_id": [pool], "pool_object_id_arr": [pool], "pool/delete.pool_object_id": [empty],
        "order_no": [bought["order_no"]], "out_trade_no": ["fourth", "fifth"], "pool/unsub.out_trade_no": ["fourth"],
        "package/refundPackage.iccid": [card], "package/queryPackage.iccid": [card], "package/queryRefundAmount.iccid": [card],
    }
    numbers.update({"esim/%s.orderId" % name: [esim["orderId"]] for name in ("refund", "orderStatus", "queryRefundAmount")})
    numbers.update({"cloudesim/%s.orderId" % n: [by_eid["orderId"]] for n in ("refund", "orderStatus", "queryRefundAmount")})
    return dict(known, **{name: [str(v) for v in values] for name, values in numbers.items()})


def knowing(case, known, dice, mode):
    """Puts known numbers into what was made up: in most good requests into every field that must be there, otherwise here
    and there."""
    if not isinstance(case.body, dict):
        return
    path = case.operation.path[len("/api/v3/"):]
    own = case.operation.definition.raw["requestBody"]["content"]["application/json"]["schema"]
    whole = mode == GenerationMode.POSITIVE and dice.random() < 0.7
    body = {} if whole else dict(case.body)
    for name, schema in own.get("properties", {}).items():
        values = known.get(path + "." + name, known.get(name))
        if whole and not values and name in own.get("required", []):
            body[name] = case.body[name] if name in case.body else "n%d" % dice.randrange(10**9)
        wanted = 1.0 if name in own.get("required", []) or name in ("eshopOrderId", "iccid", "order_no") else 0.3
        if values and (dice.random() < wanted if whole else name in body and dice.random() < 0.5):
            value = dice.choice(values)
            body[name] = value if schema["type"] == "string" else int(value)
    case.body = body


def sealed(case, appkey, secret, nonce):
    """The signing hook: what every request carries is added to what was made up, and all of it is signed."""
    if not isinstance(case.body, dict):
        return
    body = {name: value for name, value in case.body.items() if name not in ("appkey", "timestamp", "nonce", "sign")}
    body.update(appkey=appkey, timestamp=int(time.time()), nonce=nonce)
    try:
        body["sign"] = signature(body, secret)
    except UnicodeEncodeError:  # half a character cannot be signed
        body["sign"] = "0" * 40
    case.body = body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("base", "appkey", "secret", "known"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--examples", type=int, default=20, help="requests of each kind for each operation")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    load_all_checks()
    known = json.loads(pathlib.Path(args.known).read_text("utf-8"))
    known = with_orders(known, Client(args.base, args.appkey, args.secret))
    schema = schemathesis.openapi.from_dict(contract())
    schema.config.update(base_url=args.base)
    sent, nonce, good, faults = 0, 10000, set(), []

    def ask(case, dice, mode):
        nonlocal sent, nonce
        knowing(case, known, dice, mode)
        sent, nonce = sent + 1, 10000 + (nonce + 1) % 90000
        sealed(case, args.appkey, args.secret, nonce)
        response = case.call(timeout=30)
        # A 5xx is an undeclared status, and the code of a fault of ours is not in the schema.
        case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])
        body = response.json()
        if str(body["code"]) == "200":
            good.add(case.operation.path)

    operations = [result.ok() for result in schema.get_all_operations()]
    operations.sort(key=lambda operation: operation.path.rsplit("/", 1)[-1] in ENDS)
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            @hypothesis.seed(args.seed)
            @hypothesis.settings(
                max_examples=args.examples, deadline=None, database=None, print_blob=False,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            )
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode), dice=hypothesis.strategies.integers(0, 2**32))
            def run(case, dice):
                ask(case, random.Random(dice), mode)  # called before `mode` becomes another
            try:
                run()
            except hypothesis.errors.Unsatisfiable:
                print("%s: nothing to make up, %s" % (operation.path, mode.value))
            except (FailureGroup, AssertionError, Exception) as failure:  # every operation is looked at
                inner = getattr(failure, "exceptions", [failure])
                faults += ["%s, %s: %s" % (operation.path, mode.value, e) for e in inner]
    print("%d requests to %d operations, %d of them with a success" % (sent, len(operations), len(good)))
    never = sorted(o.path for o in operations if o.path not in good and o.path not in NEEDS_MORE)
    faults += ["%s: not one success, so its good answer was not seen" % path for path in never]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults or len(operations) < 58 else 0


if __name__ == "__main__":
    sys.exit(main())
