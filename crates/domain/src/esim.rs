//! eSIM profiles: how a device is told where to fetch one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An activation code as GSMA SGP.22 writes it: `LPA:1$`, the address of the SM-DP+ server, `$`, the matching id, perhaps more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActivationCode(String);

impl ActivationCode {
    /// Reads one; the error says what a good one looks like.
    pub fn parse(text: &str) -> Result<ActivationCode, String> {
        let text = text.trim();
        let mut parts = text.split('$');
        let printable = text.len() <= 255 && text.bytes().all(|b| b.is_ascii_graphic());
        let good = printable
            && parts.next() == Some("LPA:1")
            && parts.next().is_some_and(|address| !address.is_empty())
            && parts.next().is_some();
        if good {
            Ok(ActivationCode(text.to_owned()))
        } else {
            Err(format!("\"{text}\" is not of the form LPA:1$address$matching-id"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_code_names_a_server() {
        for good in ["LPA:1$smdp.example$ABC", " LPA:1$smdp.example$ ", "LPA:1$smdp.example$ABC$1.3.6.1$1"] {
            assert_eq!(ActivationCode::parse(good).map(|c| c.to_string()), Ok(good.trim().to_owned()));
        }
        for bad in ["", "LPA:1", "LPA:1$$ABC", "LPA:1$smdp.example", "LPA:2$smdp.example$ABC", "LPA:1$smdp example$A"] {
            assert!(ActivationCode::parse(bad).is_err(), "{bad}");
        }
    }
}
