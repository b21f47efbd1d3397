//! The portal's own cipher: DES with a key schedule that is not DES's, once for each of three keys.
//!
//! Text is taken in blocks of four UTF-16 units, keys likewise; a short last block ends in zeroes. Every part of DES is as
//! published but the first choice of key bits (PC-1), so a library's DES gives other answers (facts C2.2).

/// Initial permutation.
const IP: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];
/// Final permutation.
const FP: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];
/// Expansion.
const E: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18, 19, 20, 21, 20, 21, 22, 23,
    24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];
/// Permutation of a round.
const P: [u8; 32] =
    [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25];
/// Second choice of key bits.
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40, 51,
    45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
/// Rotations of the key's halves.
const ROTATIONS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
/// Substitutions, each as four rows of sixteen.
const S: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8, 4, 1, 14, 8,
        13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5, 0, 14, 7, 11,
        10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1, 13, 6, 4, 9,
        8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9, 10, 6, 9, 0,
        12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6, 4, 2, 1, 11,
        10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8, 9, 14, 15, 5,
        2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6, 1, 4, 11, 13,
        12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2, 7, 11, 4, 1,
        9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

/// The bits that a table names, counted from 1 at the highest of `width` bits.
fn choose(bits: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |out, &n| out << 1 | bits >> (width - u32::from(n)) & 1)
}

/// The sixteen keys of a block. The first choice takes bit `i` of each of the eight bytes, the last byte first.
fn schedule(key: u64) -> [u64; 16] {
    let mut chosen = 0;
    for i in 0..7 {
        for j in 0..8 {
            chosen = chosen << 1 | key >> (63 - (8 * (7 - j) + i)) & 1;
        }
    }
    let (mut left, mut right) = (chosen >> 28, chosen & 0xfff_ffff);
    ROTATIONS.map(|by| {
        let turned = |half: u64| (half << by | half >> (28 - by)) & 0xfff_ffff;
        (left, right) = (turned(left), turned(right));
        choose(left << 28 | right, 56, &PC2)
    })
}

fn pass(block: u64, keys: impl Iterator<Item = u64>) -> u64 {
    let bits = choose(block, 64, &IP);
    let (mut left, mut right) = (bits >> 32, bits & 0xffff_ffff);
    for key in keys {
        let mixed = choose(right, 32, &E) ^ key;
        let mut found = 0;
        for (n, table) in S.iter().enumerate() {
            let six = (mixed >> (42 - 6 * n) & 0x3f) as usize;
            let (row, column) = (six >> 4 & 2 | six & 1, six >> 1 & 0xf);
            found = found << 4 | u64::from(table[16 * row + column]);
        }
        (left, right) = (right, left ^ choose(found, 32, &P));
    }
    choose(right << 32 | left, 64, &FP)
}

/// Blocks of four UTF-16 units.
fn blocks(text: &str) -> Vec<u64> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let block = |chunk: &[u16]| (0..4).fold(0, |bits, n| bits << 16 | u64::from(chunk.get(n).copied().unwrap_or(0)));
    units.chunks(4).map(block).collect()
}

/// A text under keys, as upper-case hexadecimal digits.
pub fn encrypt(text: &str, keys: &[&str]) -> String {
    let schedules: Vec<[u64; 16]> = keys.iter().flat_map(|key| blocks(key)).map(schedule).collect();
    let one = |block| schedules.iter().fold(block, |block, keys| pass(block, keys.iter().copied()));
    blocks(text).into_iter().map(|block| format!("{:016X}", one(block))).collect()
}

/// The text again; none if these are not blocks of hexadecimal digits, or no text.
pub fn decrypt(cipher: &str, keys: &[&str]) -> Option<String> {
    let schedules: Vec<[u64; 16]> = keys.iter().flat_map(|key| blocks(key)).map(schedule).collect();
    if !cipher.len().is_multiple_of(16) || !cipher.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut units = Vec::new();
    for chunk in cipher.as_bytes().chunks(16) {
        let block = u64::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok()?;
        let plain = schedules.iter().rev().fold(block, |block, keys| pass(block, keys.iter().rev().copied()));
        units.extend((0..4).map(|n| (plain >> (48 - 16 * n)) as u16).filter(|unit| *unit != 0));
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: [&str; 3] = ["abc", "def", "ghi"];
    const KEYS: [&str; 3] = ["k1a", "k2b", "k3c"];
    /// Text, keys, cipher: the portal's own examples and some made by another implementation.
    const VECTORS: &[(&str, &[&str], &str)] = &[
        ("test", &["abc"], "D65142E7C8E826CC"),
        ("demo", &["k1a"], "B7B90664DB9B3C68"),
        ("test", &ABC, "41894168BD86A2CC"),
        (
            "14914000000,queryPakage,test,test",
            &ABC,
            "45E8B9924DE397A8F7E5764767810CF774CC7E1685BA702C9C4C367EFDAE5D932B37C0C8F0F8EB0CAD6372289F407CA941894168BD86A2CC32E5804EA05BAA5099649468B9418E52",
        ),
        ("demoPass1", &KEYS, "A8708F701F4F2B20EE0C2A380E962938D343A65DA2A12AEB"),
        (
            "14912345678,demoPass1,demoUser,queryTraffic",
            &KEYS,
            "EB89A13BCEC4864A073EE7DAF26782DF4DE6767DF25ACE98A8708F701F4F2B20EE0C2A380E962938E7E955E2A6A0069EB196FEB6EC190D6755579C274AB9DAF48BCB566A81383FBA81E6435334715CD4D0A66FCB611E4E40",
        ),
        (
            "8986031234567890123,demoPass1,demoUser,getTelephone",
            &KEYS,
            "32445250B9EE41EFABF99D2B379FB8418C72F19B79AE731429FE05C1E1F2DF15E33D4031A6BEA818A8708F701F4F2B20EE0C2A380E962938E7E955E2A6A0069EB196FEB6EC190D67F9A3EE4F7BFF27189C2FD935F7D5AFB2BB2F2225D11C824CFFD16E3A7EC22A2F",
        ),
        (
            "14912345678,ADD,demoPass1,demoUser,singleCutNet",
            &KEYS,
            "EB89A13BCEC4864A073EE7DAF26782DF4DE6767DF25ACE98188C8CA6520C6279A8708F701F4F2B20EE0C2A380E962938E7E955E2A6A0069EB196FEB6EC190D67EDABA9F59C3DC93B30D23475BAD49C04DCC1CFFF9088818AD62A4AC373A98CC3",
        ),
        (
            ",14912345678,19,demoPass1,demoUser,disabledNumber",
            &KEYS,
            "AB0038A85FEE74D28E541015C54B440A62B111E02B85CBBF9DC265AD1D4C98D4A8708F701F4F2B20EE0C2A380E962938E7E955E2A6A0069EB196FEB6EC190D67C1B0FE0BD972B54A262B386971E6A7D2468ADCC097839D55089B5FE71E0D1DD9EB5C66F589DB55B3",
        ),
    ];

    #[test]
    fn every_vector_is_met_both_ways() {
        for (text, keys, cipher) in VECTORS {
            assert_eq!(encrypt(text, keys), *cipher, "{text}");
            assert_eq!(decrypt(cipher, keys).as_deref(), Some(*text), "{text}");
        }
    }

    #[test]
    fn the_keys_of_the_rounds_are_the_portals_and_not_those_of_des() {
        let keys = |text: &str| {
            let all = schedule(blocks(text)[0]);
            (format!("{:048b}", all[0]), format!("{:048b}", all[15]))
        };
        let (first, last) = keys("abc");
        assert_eq!(first, "100000000001001000000100010000000000000000001000");
        assert_eq!(last, "001000001010110000000010000000001000000001000000");
        let (first, last) = keys("ghi");
        assert_eq!(first, "100000000001001000000100000000000000000010100100");
        assert_eq!(last, "001000001010110000000010000111000000000000000000");
    }

    #[test]
    fn chinese_goes_there_and_back_and_noise_does_not() {
        assert_eq!(decrypt(&encrypt("短信：你好", &KEYS), &KEYS).as_deref(), Some("短信：你好"));
        assert_eq!(
            (decrypt("12", &KEYS), decrypt("GGGGGGGGGGGGGGGG", &KEYS), decrypt("", &KEYS)),
            (None, None, Some(String::new()))
        );
    }
}
