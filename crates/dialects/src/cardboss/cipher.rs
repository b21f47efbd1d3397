//! Encrypted messages: Base64 of AES-128-CBC over `mobiles##content`, filled up with zero bytes to whole blocks; the key is
//! the first sixteen characters of the apikey, the initial vector the last sixteen.

use super::codes;
use super::text::{Written, decode, gb2312};
use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BLOCK: usize = 16;

/// A message as it was before it was encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// The numbers, as they were joined.
    pub mobiles: String,
    /// The message.
    pub content: String,
    /// How it was written.
    pub written: Written,
}

/// Decrypts a text.
///
/// # Errors
/// 1042: no Base64. 1040: it does not decrypt to a text (every way in which it does not, alike). 1041: the text is not
/// `mobiles##content`, or one of the two is empty.
pub fn unseal(text: &str, apikey: &str) -> Result<Unsealed, u32> {
    let bare: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let mut bytes = STANDARD.decode(bare).map_err(|_| codes::CIPHER_TEXT_WRONG)?;
    if bytes.is_empty() {
        return Err(codes::CIPHER_TEXT_WRONG);
    }
    let (cipher, mut before) = open(apikey).filter(|_| bytes.len() % BLOCK == 0).ok_or(codes::DECRYPTION_FAILED)?;
    for block in bytes.chunks_exact_mut(BLOCK) {
        let sealed: [u8; BLOCK] = block.try_into().expect("whole blocks");
        let mut plain = Array::from(sealed);
        cipher.decrypt_block(&mut plain);
        for (i, byte) in block.iter_mut().enumerate() {
            *byte = plain[i] ^ before[i];
        }
        before = sealed;
    }
    let filled = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let (text, written) = decode(&bytes[..filled]).ok_or(codes::DECRYPTION_FAILED)?;
    let text = text.trim_end_matches(' ');
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(codes::DECRYPTION_FAILED);
    }
    let (mobiles, content) = text.split_once("##").ok_or(codes::DECRYPTED_EMPTY)?;
    if mobiles.is_empty() || content.is_empty() {
        return Err(codes::DECRYPTED_EMPTY);
    }
    Ok(Unsealed { mobiles: mobiles.to_owned(), content: content.to_owned(), written })
}

/// Encrypts a message as a client does; none if the apikey is too short, or a character not in GB2312.
pub fn seal(mobiles: &str, content: &str, apikey: &str, written: Written) -> Option<String> {
    let text = format!("{mobiles}##{content}");
    let mut bytes = match written {
        Written::Utf8 => text.into_bytes(),
        Written::Gb2312 => gb2312(&text)?.into_owned(),
    };
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    let (cipher, mut before) = open(apikey)?;
    for block in bytes.chunks_exact_mut(BLOCK) {
        let mut mixed = [0; BLOCK];
        for (i, byte) in mixed.iter_mut().enumerate() {
            *byte = block[i] ^ before[i];
        }
        let mut sealed = Array::from(mixed);
        cipher.encrypt_block(&mut sealed);
        block.copy_from_slice(&sealed);
        before.copy_from_slice(block);
    }
    Some(STANDARD.encode(bytes))
}

fn open(apikey: &str) -> Option<(Aes128, [u8; BLOCK])> {
    let key = apikey.as_bytes();
    let first: [u8; BLOCK] = key.get(..BLOCK)?.try_into().ok()?;
    let last: [u8; BLOCK] = key.get(key.len() - BLOCK..)?.try_into().ok()?;
    Some((Aes128::new(&Array::from(first)), last))
}
