"""The EIOTCLUB signature, written from the published protocol. Standard library only, nothing shared with the server.

Upper-case hex SHA-1 of the non-empty parameters except `sign`, sorted by ASCII name, `k=v` joined by `&`, then
`&secret=SECRET`. Clients in the wild differ in four things; the defaults below are the published rule.
"""
import hashlib

ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class Number(str):
    """A JSON number as its text, so that 1e3 and 1.0 stay what they were."""


def quote(text, escaped=False):
    """A JSON string; `escaped` as PHP writes it: slashes, and everything beyond ASCII as \\uXXXX."""
    out = []
    for char in text:
        if char in ESCAPES:
            out.append(ESCAPES[char])
        elif char == "/" and escaped:
            out.append("\\/")
        elif char < " " or (char > "\x7f" and escaped):
            units = char.encode("utf-16-be")
            out.extend("\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2))
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def compact(value, escaped=False):
    """Compact JSON text of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quote(value, escaped)
    if isinstance(value, dict):
        return "{" + ",".join(quote(k, escaped) + ":" + compact(v, escaped) for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(compact(v, escaped) for v in value) + "]"
    return repr(value)


def canonical(params, digits=False, keep_empty=False, escaped=False, by_pairs=False):
    """The signed text without the secret; `by_pairs` sorts `k=v&` as the published Java sample does."""
    pairs = []
    for name in sorted(params):
        value = params[name]
        # What writes booleans as digits, PHP's http_build_query, drops null and [] and keeps "".
        empty = (None, [], {}) if digits else (None, "", [], {})
        if name == "sign" or (not keep_empty and value in empty):
            continue
        if isinstance(value, bool):
            text = ("1" if value else "0") if digits else ("true" if value else "false")
        elif isinstance(value, str):
            text = str(value)
        else:
            text = compact(value, escaped)
        pairs.append(name + "=" + text)
    if by_pairs:
        pairs.sort(key=lambda pair: pair + "&")
    return "&".join(pairs)


def signature(params, secret, **form):
    """40 upper-case hex digits."""
    text = canonical(params, **form) + "&secret=" + secret
    return hashlib.sha1(text.encode("utf-8")).hexdigest().upper()
