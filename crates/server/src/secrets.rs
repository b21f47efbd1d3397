//! Secrets and passwords: made from the system's randomness, passwords kept only as Argon2id hashes.

use crate::exit::Exit;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::path::Path;

/// What a person may be.
pub const ROLES: [&str; 4] = ["owner", "operator", "finance", "viewer"];
/// Where keys are used.
pub const DOORS: [&str; 2] = ["eiotclub", "cardboss"];
/// Where customers are told.
pub const NOTIFY: [&str; 3] = ["eiotclub", "cardboss_data", "cardboss_sms"];

/// Characters of a password at least.
const PASSWORD_MIN: usize = 10;

/// 32 hex digits of 128 random bits.
pub fn made() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The Argon2id hash of a password: 19 MiB, 2 passes, 1 lane.
pub fn hash(password: &str) -> Result<String, Exit> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|h| h.to_string()).map_err(|e| Exit::cannot(format!("the password cannot be hashed ({e})")))
}

/// Whether the password is the one that was hashed.
pub fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The password on a file's first line.
pub fn password_from(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{} cannot be read ({e})", file.display()))?;
    let password = text.lines().next().unwrap_or_default();
    if password.chars().count() < PASSWORD_MIN {
        return Err(format!("{}: a password has at least {PASSWORD_MIN} characters, on the first line", file.display()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_secret_is_128_bits_of_hex_and_never_the_same() {
        let (a, b) = (made(), made());
        assert!(a.len() == 32 && a.bytes().all(|c| c.is_ascii_hexdigit()) && a != b);
    }

    #[test]
    fn a_hash_is_argon2id_and_fits_its_password_only() {
        let hash = hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(fits("correct horse", &hash) && !fits("correct hoarse", &hash) && !fits("correct horse", "nonsense"));
    }
}
