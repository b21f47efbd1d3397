//! Who asks: a bearer token, and the caller's address.

use super::DOOR;
use super::errors::No;
use crate::http::is_allowed;
use axum::http::{HeaderMap, header};
use kachi_domain::account::Switch;
use kachi_engine::{Actor, Catalogue};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::net::IpAddr;

/// The token of a request's `Authorization: Bearer TOKEN`.
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.trim().split_once(' ')?;
    Some(token.trim().to_owned()).filter(|t| scheme.eq_ignore_ascii_case("bearer") && !t.is_empty())
}

/// The name under which a token is kept: its digest, so that the database does not have it.
pub fn token_name(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The account whose token it is. One that is paused may ask and not act.
pub fn authenticate(catalogue: &Catalogue, (token, acts): (Option<&str>, bool), peer: Option<IpAddr>) -> Result<Actor, No> {
    let (id, _) = token.and_then(|t| catalogue.credential(DOOR, &token_name(t))).ok_or(No::Token)?;
    let (Some(info), Some(actor)) = (catalogue.account(id), catalogue.actor(id)) else {
        return Err(No::Fault(Some(format!("a token names account {id}, which is not there"))));
    };
    match info.switch {
        _ if !is_allowed(&info.ip_allow, peer) => Err(No::Address),
        Switch::Off => Err(No::SwitchedOff),
        Switch::Paused if acts => Err(No::Paused),
        Switch::Paused | Switch::On => Ok(actor),
    }
}
