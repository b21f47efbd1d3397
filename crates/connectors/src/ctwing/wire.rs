//! CTWing's signature and clock.

use kachi_domain::time::{Timestamp, Zone};
use md5::{Digest, Md5};

/// Upper-case hexadecimal digits of the characters of the lower-case hexadecimal MD5 of what is signed.
pub fn sign(query: &str, body: &str, secret: &str, timestamp: &str) -> String {
    let digest = Md5::digest(format!("{query}{body}{secret}{timestamp}"));
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    hex.bytes().map(|b| format!("{b:02X}")).collect()
}

/// The time of a request as the account's clock has it.
pub fn timestamp(clock: &str, now: Timestamp) -> String {
    match clock {
        "China" => crate::china().digits(now),
        _ => Zone::find("UTC").expect("it is compiled in").digits(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_is_met() {
        for (query, body, secret, timestamp, expected) in [
            (
                "a=1&b=2&c=3",
                r#"{"name":"xf","age":"dd"}"#,
                "d1209cfefe895364e03",
                "20201101021435",
                "3863613035653132306631333231313733383637376333326536316631643934",
            ),
            (
                "access_number=14912345678",
                "",
                "SECRET123",
                "20240102030405",
                "3537383963653365386366346565393463613531666537363636623031363262",
            ),
            (
                "",
                r#"{"accessNumbers":["14912345678"],"custNumber":"C1"}"#,
                "SECRET123",
                "20240102030405",
                "6538643461653438323732633133613739373834316465383262303339336338",
            ),
        ] {
            assert_eq!(sign(query, body, secret, timestamp), expected);
        }
    }

    #[test]
    fn the_clock_is_the_one_that_is_set() {
        let at = Timestamp(1_773_100_800);
        assert_eq!((timestamp("GMT", at), timestamp("China", at)), ("20260310000000".into(), "20260310080000".into()));
    }
}
