//! The encryption of Telecom's portal (`strEnc`): DES with a choice of key bits (PC-1) that is not the standard's, three times
//! encrypting, over text of UTF-16 units, four a block.

/// Encrypts the text under the nine characters of the key, as upper-case hexadecimal digits.
pub(crate) fn encrypt(text: &str, key: &str) -> String {
    let keys = schedules(key);
    let blocks = chunks(text).into_iter().map(|block| keys.iter().fold(block, pass));
    blocks.map(|block| format!("{block:016X}")).collect()
}

/// The text that was encrypted under the key; nothing if these are no whole blocks of digits.
pub(crate) fn decrypt(digits: &str, key: &str) -> Option<String> {
    if !digits.len().is_multiple_of(16) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut keys = schedules(key);
    keys.reverse();
    keys.iter_mut().for_each(|k| k.reverse());
    let mut units = Vec::new();
    for at in (0..digits.len()).step_by(16) {
        let block = u64::from_str_radix(&digits[at..at + 16], 16).ok()?;
        let plain = keys.iter().fold(block, pass);
        units.extend([48, 32, 16, 0].map(|shift| (plain >> shift) as u16).into_iter().filter(|unit| *unit != 0));
    }
    String::from_utf16(&units).ok()
}

/// The inner keys of each chunk of each third of the key.
fn schedules(key: &str) -> Vec<[u64; 16]> {
    let letters: Vec<char> = key.chars().collect();
    letters.chunks(3).flat_map(|part| chunks(&part.iter().collect::<String>())).map(schedule).collect()
}

/// Four UTF-16 units each, the last filled up with zeros.
fn chunks(text: &str) -> Vec<u64> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let block = |units: &[u16]| (0..4).fold(0, |b, i| b << 16 | u64::from(units.get(i).copied().unwrap_or(0)));
    units.chunks(4).map(block).collect()
}

/// The bits of a word of `width` bits that the table names, the first bit being number 1.
fn choose(word: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |out, at| out << 1 | (word >> (width - u32::from(*at)) & 1))
}

fn schedule(key: u64) -> [u64; 16] {
    // Bit 8i + j is bit 8(7 - j) + i of the key.
    let bit = |n: u32| key >> (63 - (8 * (7 - n % 8) + n / 8)) & 1;
    let chosen = (0..56).fold(0, |out, n| out << 1 | bit(n));
    let (mut left, mut right) = (chosen >> 28, chosen & 0xFFF_FFFF);
    let turn = |half: u64, by: u32| (half << by | half >> (28 - by)) & 0xFFF_FFFF;
    ROTATIONS.map(|by| {
        (left, right) = (turn(left, by), turn(right, by));
        choose(left << 28 | right, 56, &PC2)
    })
}

fn pass(block: u64, keys: &[u64; 16]) -> u64 {
    let mixed = choose(block, 64, &IP);
    let (mut left, mut right) = (mixed >> 32, mixed & 0xFFFF_FFFF);
    for key in keys {
        (left, right) = (right, left ^ round(right, *key));
    }
    choose(right << 32 | left, 64, &FP)
}

fn round(half: u64, key: u64) -> u64 {
    let wide = choose(half, 32, &E) ^ key;
    let narrow = S.iter().enumerate().fold(0, |out, (i, table)| {
        let six = wide >> (42 - 6 * i) & 63;
        let (row, column) = (six >> 4 & 2 | six & 1, six >> 1 & 15);
        out << 4 | u64::from(table[(row * 16 + column) as usize])
    });
    choose(narrow, 32, &P)
}

const ROTATIONS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

#[rustfmt::skip]
const IP: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

#[rustfmt::skip]
const FP: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];

#[rustfmt::skip]
const E: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
    16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];

#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

#[rustfmt::skip]
const S: [[u8; 64]; 8] = [
    [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
     4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13],
    [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
     0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9],
    [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
     13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12],
    [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
     10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14],
    [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
     4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3],
    [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
     9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13],
    [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
     1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12],
    [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
     7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_keys_are_those_of_the_other_choice_of_bits() {
        let keys = |text| schedule(chunks(text)[0]);
        let bits = |key: u64| format!("{key:048b}");
        assert_eq!(bits(keys("abc")[0]), "100000000001001000000100010000000000000000001000");
        assert_eq!(bits(keys("abc")[15]), "001000001010110000000010000000001000000001000000");
        assert_eq!(bits(keys("ghi")[0]), "100000000001001000000100000000000000000010100100");
        assert_eq!(bits(keys("ghi")[15]), "001000001010110000000010000111000000000000000000");
    }

    #[test]
    fn texts_are_encrypted_as_published() {
        for (text, key, out) in [
            ("test", "abc", "D65142E7C8E826CC"),
            ("demo", "k1a", "B7B90664DB9B3C68"),
            ("test", "abcdefghi", "41894168BD86A2CC"),
            ("demoPass1", "k1ak2bk3c", "A8708F701F4F2B20EE0C2A380E962938D343A65DA2A12AEB"),
            (
                "14914000000,queryPakage,test,test",
                "abcdefghi",
                "45E8B9924DE397A8F7E5764767810CF774CC7E1685BA702C9C4C367EFDAE5D932B37C0C8F0F8EB0CAD6372289F407CA941894168BD86A2CC\
                 32E5804EA05BAA5099649468B9418E52",
            ),
            (
                ",14912345678,19,demoPass1,demoUser,disabledNumber",
                "k1ak2bk3c",
                "AB0038A85FEE74D28E541015C54B440A62B111E02B85CBBF9DC265AD1D4C98D4A8708F701F4F2B20EE0C2A380E962938E7E955E2A6A0069E\
                 B196FEB6EC190D67C1B0FE0BD972B54A262B386971E6A7D2468ADCC097839D55089B5FE71E0D1DD9EB5C66F589DB55B3",
            ),
        ] {
            assert_eq!(encrypt(text, key), out, "{text}");
            assert_eq!(decrypt(out, key).as_deref(), Some(text));
        }
        assert_eq!(decrypt(&encrypt("余额不足 10%", "k1ak2bk3c"), "k1ak2bk3c").as_deref(), Some("余额不足 10%"));
        assert_eq!(decrypt("D65142E7C8E826C", "abc"), None);
    }
}
