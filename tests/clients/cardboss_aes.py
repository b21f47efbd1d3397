"""AES-128-CBC with zero bytes as filling, written from FIPS 197. Standard library only, for test vectors: slow and open to timing."""


def _boxes():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= (p << 1 & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rolled = [q << n & 0xFF | q >> 8 - n for n in range(1, 5)]
        box[p] = q ^ rolled[0] ^ rolled[1] ^ rolled[2] ^ rolled[3] ^ 0x63
        if p == 1:
            return box


BOX = _boxes()


def _double(byte):
    return (byte << 1 & 0xFF) ^ (0x1B if byte & 0x80 else 0)


def _schedule(key):
    words, factor = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= factor
            factor = _double(factor)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def encrypt_block(block, key):
    keys = _schedule(key)
    state = [a ^ b for a, b in zip(block, keys[0])]
    for n, round_key in enumerate(keys[1:], 1):
        state = [BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 10:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c:c + 4]
                whole = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[i] ^ whole ^ _double(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def encrypt(plain, key, vector):
    """Whole blocks, the last one filled up with zero bytes."""
    plain += b"\0" * (-len(plain) % 16)
    out, before = b"", vector
    for i in range(0, len(plain), 16):
        before = encrypt_block(bytes(a ^ b for a, b in zip(plain[i:i + 16], before)), key)
        out += before
    return out


# FIPS 197, appendix B: a wrong copy of the cipher would make wrong vectors.
assert encrypt_block(bytes.fromhex("3243f6a8885a308d313198a2e0370734"),
                     bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")).hex() == "3925841d02dc09fbdc118597196a0b32"
