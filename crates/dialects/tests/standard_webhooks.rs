//! Standard Webhooks: the published example, rotation, and what must not verify.

use kachi_dialects::standard_webhooks::{Secret, SecretError, sign, verify};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const AT: i64 = 1_614_265_330;

#[test]
fn the_published_example() {
    let secret = Secret::parse(SECRET).unwrap();
    let header = sign(std::slice::from_ref(&secret), ID, AT, BODY);
    assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert!(verify(&secret, ID, AT, BODY, &header));
    assert_eq!(secret.reveal(), SECRET);
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

#[test]
fn while_rotating_either_secret_fits() {
    let (old, new) = (Secret::from_bytes(&[1; 24]).unwrap(), Secret::from_bytes(&[2; 64]).unwrap());
    let header = sign(&[new.clone(), old.clone()], ID, AT, BODY);
    assert_eq!(header.split(' ').count(), 2);
    assert!(verify(&old, ID, AT, BODY, &header) && verify(&new, ID, AT, BODY, &header));
    assert!(verify(&old, ID, AT, BODY, &format!("v1a,xyz v1,no {header}")));
    assert!(!verify(&Secret::from_bytes(&[3; 24]).unwrap(), ID, AT, BODY, &header));
}

#[test]
fn anything_changed_fails() {
    let secret = Secret::parse(SECRET).unwrap();
    let header = sign(std::slice::from_ref(&secret), ID, AT, BODY);
    assert!(!verify(&secret, "msg_other", AT, BODY, &header));
    assert!(!verify(&secret, ID, AT + 1, BODY, &header));
    assert!(!verify(&secret, ID, AT, b"{}", &header));
    for header in ["", " ", "v1,", "v1", &header.replace("v1,", "v2,"), &header[3..], &header[..header.len() - 4]] {
        assert!(!verify(&secret, ID, AT, BODY, header), "{header}");
    }
    let shifted = sign(std::slice::from_ref(&secret), "msg", 1, b"2.x");
    assert!(!verify(&secret, "msg.1", 2, b"x", &shifted), "an id with a full stop could borrow a signature");
}

#[test]
fn secrets_that_are_none() {
    assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_err(), SecretError::Prefix);
    assert_eq!(Secret::parse("whsec_*").unwrap_err(), SecretError::Base64);
    assert_eq!(Secret::parse("whsec_AAAA").unwrap_err(), SecretError::Length);
    assert_eq!(Secret::from_bytes(&[0; 65]).unwrap_err(), SecretError::Length);
}
