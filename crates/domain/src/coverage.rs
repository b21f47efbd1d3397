//! Where a product's cards work: a zone, the countries in it and the networks of each. For people to read; no rule looks at
//! it.

use serde::{Deserialize, Serialize};

/// A zone, as `apply` files write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Coverage {
    /// Its name.
    pub name: String,
    /// The address of its picture.
    pub img: String,
    /// The countries in it.
    pub countries: Vec<Country>,
}

/// A country of a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Country {
    /// Its name.
    pub name: String,
    /// The address of its picture.
    pub img: String,
    /// The networks that its cards can use there.
    pub operators: Vec<Operator>,
}

/// A network of a country.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// `LTE`, `5G` and the like.
    pub network_type: String,
}

impl Coverage {
    /// Reads the `zone` of a product's details (JSON); empty where there is none.
    pub fn of_details(details: &str) -> Coverage {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Details {
            zone: Coverage,
        }
        serde_json::from_str::<Details>(details).unwrap_or_default().zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_from_a_products_details() {
        let text = r#"{"networks":["VAT"],"zone":{"name":"North America","countries":[{"name":"United States",
            "operators":[{"name":"AT&T","network_type":"LTE"}]}]}}"#;
        let zone = Coverage::of_details(text);
        assert_eq!((zone.name.as_str(), zone.img.as_str()), ("North America", ""));
        assert_eq!(zone.countries[0].operators[0], Operator { name: "AT&T".into(), network_type: "LTE".into() });
        assert_eq!(Coverage::of_details("{}"), Coverage::default());
        assert!(serde_json::from_str::<Coverage>(r#"{"name":"x","land":[]}"#).is_err(), "a misspelt key is found");
    }
}
