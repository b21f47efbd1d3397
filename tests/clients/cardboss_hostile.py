"""What somebody on the path may try with requests he has seen, and what a broken client may send. One line per check."""
import hashlib
import http.client
from urllib.parse import quote_plus, urlsplit

from cardboss import Answer
from cardboss_sign import OPERATIONS, signature


def run(client, args, checks):
    shifted(client, args, checks)
    extended(client, args, checks)
    replayed(client, args, checks)
    senseless(client, args, checks)


def fields(client, path, more, **named):
    """A form whose signature is the one of other fields: `more` are those that are sent."""
    form = dict(pair.split("=", 1) for pair in client.sealed(path, **named).split("&"))
    form.update({name: quote_plus(text) for name, text in more.items()})
    return "&".join(name + "=" + text for name, text in form.items() if text is not None)


def shifted(client, args, checks):
    """Values are signed without anything between them: what is moved from one to the next must not pass for another request."""
    card, iccid = args.acting, "89860012345678901259"
    for name, path, signed, sent in (
        ("digits of a number given to the ICCID behind it", "card/stopkeep",
         {"msisdn": card, "iccid": "", "stopkeep": "1"}, {"msisdn": card[:11], "iccid": card[11:]}),
        ("an ICCID given to the number before it", "card/stoptest", {"msisdn": "", "iccid": iccid}, {"msisdn": iccid[:13], "iccid": iccid[13:]}),
        ("a resume turned into a pause", "card/switchnet",
         {"msisdn": card, "iccid": "", "apnname": "CMIOT", "opertype": "1", "marginrat": "0"},
         {"apnname": "CMIOT1", "opertype": "0", "marginrat": ""}),
        ("numbers of a list moved to the other list", "card/detail",
         {"msisdns": card, "iccids": ""}, {"msisdns": card[:12], "iccids": card[12:]}),
        ("a month moved into the day", "card/usage/past",
         {"month": "202603", "showday": "1", "msisdns": card}, {"month": "2026031", "showday": ""}),
        ("a white-list's group moved into its numbers", "card/setvoicewhitetable",
         {"msisdn": card, "iccid": "", "opertype": "1", "taskid": "1", "content": "13800000001"},
         {"taskid": "", "content": "113800000001"}),
    ):
        answer = client.send(path, fields(client, path, sent, **signed))
        checks.that(name + ": refused", answer.status == 200 and answer.code in ("1005", "1008", "1024", "1031"), answer.raw)
    # Between a package's code and its months no grammar can tell: the code decides, and such a package is not there.
    for pkgcode, month in ((args.package + "1", "2"), (args.package[:-1], args.package[-1] + "12")):
        path, signed = "card/pkg/renew", {"msisdn": args.card, "iccid": "", "pkgcode": args.package, "month": "12"}
        answer = client.send(path, fields(client, path, {"pkgcode": pkgcode, "month": month}, **signed))
        checks.that("a package's code and months moved: refused", answer.code in ("1005", "1031"), answer.raw)


def extended(client, args, checks):
    """MD5 over secret and text can be continued without the secret; what continues it begins with bytes that no field has."""
    path = "sms/sendlotsms"
    named = {"mobile": args.acting, "content": "wake"}
    form = dict(pair.split("=", 1) for pair in client.sealed(path, **named).split("&"))
    for filling in ("%80", "%80%00", "%00", "%01", "%C2%80"):
        sent = dict(form, content=form["content"] + filling + "EVIL")
        answer = client.send(path, "&".join(name + "=" + text for name, text in sent.items()))
        checks.that("a continued text with %s: refused" % filling, answer.code in ("1005", "1031"), answer.raw)


def replayed(client, args, checks):
    """A signature that was good once, with what it does not cover changed; and at another operation that signs alike."""
    before = client.call("customer/get").json["customer"]["balance"]
    path, named = "sms/sendsms", {"mobile": "13800000001", "tplid": args.template, "content": "@1@=a|@2@=b"}
    client.offset += 1
    form = client.sealed(path, **named)
    first = client.send(path, form)
    checks.good(path, first)
    for change in (form.replace("%3Da", "%3Dc"), form + "&extno=1", form + "&x=y"):
        checks.refused("a template's text changed behind its signature", client.send(path, change), "1005")
    checks.same("the same again is answered the same", client.send(path, form).raw, first.raw)
    after = client.call("customer/get").json["customer"]["balance"]
    client.offset += 1
    again = client.send(path, client.sealed(path, **named))
    paid = client.call("customer/get").json["customer"]["balance"]
    checks.same("sms/sendsms: paid once a signature", before - after, after - paid)
    checks.good(path, again)
    # stoptest and foractive sign the same values: each is an operation of its own, and the card's rules hold for both.
    seen = client.sealed("card/stoptest", msisdn=args.acting, iccid="")
    answer = client.send("card/foractive", seen)
    checks.that("a signature at another operation: no fault", answer.status == 200 and answer.code != "1090", answer.raw)


def senseless(client, args, checks):
    """No request, however broken, is a fault of the server, and none that is not signed does anything."""
    good = client.sealed("customer/get")
    for name, query in (
        ("a name that stands twice", good + "&sid=" + client.sid), ("half an escape", good + "&x=%4"), ("no hex", good + "&x=%zz"),
        ("neither UTF-8 nor GB2312", good + "&x=%ff%ff"), ("a zero byte", good + "&x=a%00b"),
        ("a hundred parameters", good + "".join("&p%d=1" % n for n in range(100))),
    ):
        checks.refused(name, client.send("customer/get", query), "1031")
    checks.refused("nothing at all", client.send("customer/get", ""), "1012")
    for path in ("sms/sendlotsms", "card/pkg/renew", "card/stopkeep"):
        checks.refused(path + ": fields behind the address alone", behind(client, path, client.sealed(path)), "1012")
        checks.refused(path + ": JSON", client.send(path, '{"sid": "%s"}' % client.sid), "1012")
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        checks.refused("customer/get by " + method, client.send("customer/get", good, method=method), "1004")
    checks.that("an unknown path: 404", client.send("no/such", good, method="GET").status == 404)
    checks.that("a path of the other listener: 404", client.send("card/stopkeep", "", method="POST", port="data").status == 404)
    for text in ("%", "A" * 100_000, "====", quote_plus("重启"), "AAAAAAAAAAAAAAAAAAAAAA=="):
        answer = client.call("sms/sendiotencryptsms", text=text)
        checks.that("a text that is none: " + text[:10], answer.code in ("1040", "1041", "1042"), answer.raw)
    upper = dict(pair.split("=", 1) for pair in good.split("&"))
    upper["sign"] = upper["sign"].upper()
    checks.good("customer/get", client.send("customer/get", "&".join(name + "=" + text for name, text in upper.items())))
    unkeyed = hashlib.md5((client.sid + upper["ts"]).encode()).hexdigest()
    checks.refused("signed without a key", client.call("customer/get", sign=unkeyed), "1005")
    other = signature("customer/get", {"sid": client.sid, "ts": upper["ts"]}, "f" * 32)
    checks.refused("signed with another's key", client.call("customer/get", sign=other), "1005")
    checks.same("every operation was tried", len(OPERATIONS), 20)


def behind(client, path, form):
    """A POST whose fields stand in the address."""
    url = urlsplit(client.urls[OPERATIONS[path][1]])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=client.timeout)
    connection.request("POST", "/iotapi/rest/v2/" + path + "?" + form, b"")
    response = connection.getresponse()
    answer = Answer(response.status, response.read())
    connection.close()
    return answer
