"""The JSON type of every field, operation by operation, as published.

string, integer and number are JSON's; a name that ends in ? may be absent, but not of another type.
"""
from decimal import Decimal

_CARD = {
    "iccid": "string", "imsi": "string", "activateDate": "string", "cardStatus": "string", "isRealName": "integer",
    "monthRemainFlow": "number", "monthUseFlow": "number", "remainFlowType": "number", "productCode": "string",
    "packageEndDate?": "string", "dataFlow": "number", "remainFlow": "number", "expectedEndDate": "string",
    "imeiPoolStatus": "integer", "imeiPoolUnlockCount": "integer", "isIMEIPool": "integer", "network": "string",
    "totalUseFlow": "number", "packageCode": "string", "packageKind": "integer",
}
_LISTED_CARD = dict(
    _CARD, orderId="integer", flowTotal="number", flowRemain="number", packageType="integer", packageName="string",
    gzhPackageName="string", imei="string",
)
_RECORD = {
    "packageName": "string", "iccid": "string", "state": "integer", "price": "number", "createDate": "string",
    "startDate": "string", "endDate": "string", "flowTotal": "number", "gzhPackageName": "string", "totalActive": "integer",
    "currency": "string", "orderId": "integer", "packageCode": "string", "renew": "integer", "packageType": "integer",
    "isRefund": "integer", "periodType": "integer", "outTradeNo?": "string", "updateDate": "string", "flowRemain": "number",
    "flowUsageBytes": "integer",
}
_PACKAGE = {
    "operator": "integer", "packageCode": "string", "packageName": "string", "productCode": "string", "price": "number",
    "packageType": "integer", "gzhPrice": "number", "gzhPackageName": "string", "gzhStatus": "integer", "flowSize": "number",
    "periodSize": "integer", "periodType": "integer",
}
_PLAIN = {"code": "string", "message": "string"}

ANSWERS = {
    "card/getCardsInfo": dict(_PLAIN, data=dict(_CARD, eid="string", remark="string")),
    "card/getAllCardInfo": dict(_PLAIN, data={"cardInfoList": [_LISTED_CARD], "totalPage": "integer"}),
    "card/product": dict(_PLAIN, data={"productCode": "string"}),
    "package/listOrderPackageByIccid": dict(_PLAIN, data=[_PACKAGE]),
    "package/orderPackage": dict(_PLAIN, data={"orderNumber": "string", "orderId": "number"}),
    "package/queryPackage": dict(_PLAIN, data={"status": "integer"}),
    "package/packageOrderRecord": dict(_PLAIN, data=[_RECORD], total="integer"),
    "package/queryRefundAmount": dict(_PLAIN, data={"amount": "string", "currency": "string", "amount_int": "integer"}),
    "package/refundPackage": dict(_PLAIN, data={}),
    "agent/balance": dict(_PLAIN, data={"balance": "string", "currency": "string"}),
    "cdr/traffic/query": dict(_PLAIN, data=[{"iccid": "string", "traffic": "string"}]),
}
REFUSAL = _PLAIN

_TYPES = {"string": str, "integer": int, "number": (int, Decimal)}


def faults(value, shape, where="answer"):
    """What is wrong with a value, field by field; empty when nothing is."""
    if isinstance(shape, str):
        good = isinstance(value, _TYPES[shape]) and not isinstance(value, bool)
        return [] if good else ["%s: %r is not of type %s" % (where, value, shape)]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return ["%s: %r is not a list" % (where, value)]
        return [fault for i, item in enumerate(value) for fault in faults(item, shape[0], "%s[%d]" % (where, i))]
    if not isinstance(value, dict):
        return ["%s: %r is not an object" % (where, value)]
    found = []
    for name, inner in shape.items():
        optional, name = name.endswith("?"), name.rstrip("?")
        if name in value:
            found += faults(value[name], inner, where + "." + name)
        elif not optional:
            found.append("%s.%s is missing" % (where, name))
    return found
