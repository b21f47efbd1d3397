"""`strEnc` of China Telecom, written as lists of bits from its published steps; shares no code with Kachi."""

IP = [8 * c + r for r in (2, 4, 6, 8, 1, 3, 5, 7) for c in range(7, -1, -1)]
FP = [IP.index(i) + 1 for i in range(1, 65)]
E = [(4 * row + col - 1) % 32 + 1 for row in range(8) for col in range(6)]
P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
       41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
# The eight boxes, a hexadecimal digit an entry, four rows of sixteen.
S = ["e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
     "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
     "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
     "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
     "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
     "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
     "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
     "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b"]
BOXES = [[[int(d, 16) for d in row] for row in box.split()] for box in S]


def bits(number, count):
    return [number >> (count - 1 - i) & 1 for i in range(count)]


def blocks(text):
    data = text.encode("utf-16-be")
    data += b"\0" * (-len(data) % 8)
    return [[b for byte in data[i:i + 8] for b in bits(byte, 8)] for i in range(0, len(data), 8)]


def portals_choice(k):
    """Which 56 bits of a key count, and in which order: not the standard's."""
    chosen = [0] * 56
    for i in range(7):
        for j in range(8):
            chosen[8 * i + j] = k[8 * (7 - j) + i]
    return chosen


def standard_choice(k):
    """PC-1 of the standard, which clients take that use a library."""
    left = [8 * (7 - j) + i for i in range(4) for j in range(8)][:28]
    right = [8 * (7 - j) + i for i in (6, 5, 4) for j in range(8)] + [27, 19, 11, 3]
    return [k[i] for i in left + right]


def round_keys(k, choice):
    chosen = choice(k)
    left, right, keys = chosen[:28], chosen[28:], []
    for shift in SHIFTS:
        left, right = left[shift:] + left[:shift], right[shift:] + right[:shift]
        keys.append([(left + right)[i - 1] for i in PC2])
    return keys


def des(block, key, choice):
    mixed = [block[i - 1] for i in IP]
    left, right = mixed[:32], mixed[32:]
    for k in round_keys(key, choice):
        wide = [right[i - 1] ^ k[n] for n, i in enumerate(E)]
        out = []
        for n, box in enumerate(BOXES):
            b = wide[6 * n:6 * n + 6]
            out += bits(box[b[0] * 2 + b[5]][b[1] * 8 + b[2] * 4 + b[3] * 2 + b[4]], 4)
        left, right = right, [a ^ out[i - 1] for a, i in zip(left, P)]
    return [(right + left)[i - 1] for i in FP]


def encrypt(text, key, choice=portals_choice):
    out = ""
    for block in blocks(text):
        for i in range(0, len(key), 3):
            for chunk in blocks(key[i:i + 3]):
                block = des(block, chunk, choice)
        out += f"{int(''.join(map(str, block)), 2):016X}"
    return out


assert encrypt("test", "abcdefghi") == "41894168BD86A2CC", "the published vector"
assert encrypt("demoPass1", "k1ak2bk3c") == "A8708F701F4F2B20EE0C2A380E962938D343A65DA2A12AEB"
