"""The CardBOSS v2.2.2 signatures, written from the published formulas. Standard library only, nothing shared with the server."""
import base64
import hashlib

from cardboss_aes import encrypt

# Path: method, port, and what is joined behind sid, apikey and ts, as the document prints it for each operation.
OPERATIONS = {
    "customer/get": ("GET", "data", []),
    "card/list": ("GET", "data", ["pageindex"]),
    "card/detail": ("GET", "data", ["msisdns", "iccids"]),
    "card/usage/current": ("GET", "data", ["msisdns", "iccids"]),
    "card/usage/past": ("GET", "data", ["month", "showday", "msisdns", "iccids"]),
    "card/abnormal": ("GET", "data", ["pageindex"]),
    "card/pkg/get": ("GET", "data", ["msisdn", "iccid"]),
    "card/usage/day": ("GET", "data", ["day", "msisdns", "iccids"]),
    "pool/list": ("GET", "data", []),
    "card/pkg/renew": ("POST", "data", ["msisdn", "iccid", "pkgcode", "month"]),
    "card/stoptest": ("POST", "direct", ["msisdn", "iccid"]),
    "card/foractive": ("POST", "direct", ["msisdn", "iccid"]),
    "card/stopkeep": ("POST", "direct", ["msisdn", "iccid", "stopkeep"]),
    "card/switchnet": ("POST", "direct", ["msisdn", "iccid", "apnname", "opertype", "marginrat"]),
    "card/setvoicewhitetable": ("POST", "direct", ["msisdn", "iccid", "opertype", "taskid", "content"]),
    "sms/sendlotsms": ("POST", "data", ["mobile", "content"]),
    "sms/sendiotencryptsms": ("POST", "data", ["text"]),
    "sms/rpt/get": ("GET", "data", []),
    "sms/mo/get": ("GET", "data", []),
    "sms/sendsms": ("POST", "data", ["mobile", "tplid"]),
}


def signature(path, params, apikey, encoding="utf-8"):
    """32 lower-case hex digits; an absent value is the empty text."""
    values = [params.get("sid", ""), apikey, params.get("ts", "")] + [params.get(name, "") for name in OPERATIONS[path][2]]
    return hashlib.md5("".join(values).encode(encoding)).hexdigest()


def sealed(mobiles, content, apikey, encoding="utf-8"):
    """Base64 of AES-128-CBC of `mobiles##content`: the apikey's first 16 characters are the key, its last 16 the vector."""
    key = apikey.encode("ascii")
    return base64.b64encode(encrypt((mobiles + "##" + content).encode(encoding), key[:16], key[-16:])).decode("ascii")


def push_signature(push, apikey):
    """32 upper-case hex digits of a data push; null is the empty text."""
    names = ["sid", None, "id", "sn", "level", "api", "time", "data", "desc"]
    text = "".join(apikey if name is None else push.get(name) or "" for name in names)
    return hashlib.md5(text.encode("utf-8")).hexdigest().upper()
