//! What is asked: each parameter read once, with the published code of what is wrong with it. A number may come as
//! text and a text as a number, as existing clients send them; null and "" are as good as absent.

use super::CHINA;
use super::errors::{self, No};
use kachi_dialects::eiotclub::{Params, codes};
use kachi_domain::ids::{Eid, Imei};
use kachi_domain::{Iccid, OrderId, Timestamp};
use std::borrow::Cow;
use std::collections::HashSet;

/// The parameters of one operation.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a Params);

impl<'a> Fields<'a> {
    /// A text or number; absent, null and "" are none; a boolean, list or object is refused with `code`, and so is a text
    /// with U+0000, which no database keeps. Other control characters are as good as any: texts have line ends.
    pub fn text(self, name: &str, code: u32) -> Result<Option<Cow<'a, str>>, No> {
        match self.0.get(name).map(|raw| raw.get()) {
            None | Some("null" | "\"\"") => Ok(None),
            Some(_) => self.0.text(name).filter(|t| !t.contains('\0')).map(Some).ok_or(No::Code(code)),
        }
    }

    /// A text or number that must be there.
    pub fn required(self, name: &str, code: u32) -> Result<Cow<'a, str>, No> {
        self.text(name, code)?.filter(|t| !t.trim().is_empty()).ok_or(No::Code(code))
    }

    /// A whole number not below zero, if there is one.
    pub fn number(self, name: &str, code: u32) -> Result<Option<i64>, No> {
        self.text(name, code)?.map(|text| whole(&text).ok_or(No::Code(code))).transpose()
    }

    /// The card asked about.
    pub fn iccid(self) -> Result<Iccid, No> {
        self.iccid_in("iccid")
    }

    /// A card named in another field.
    pub fn iccid_in(self, name: &str) -> Result<Iccid, No> {
        let text = self.required(name, codes::ICCID_MALFORMED)?;
        Iccid::parse(&text).map_err(|_| No::Code(codes::ICCID_MALFORMED))
    }

    /// The card asked about by its EID; a malformed one has the code of a malformed ICCID.
    pub fn eid(self, name: &str) -> Result<Eid, No> {
        let text = self.required(name, codes::ICCID_MALFORMED)?;
        Eid::parse(&text).map_err(|_| No::Code(codes::ICCID_MALFORMED))
    }

    /// The cards of `eids`, each once, in the order given; none if the field is absent.
    pub fn eids(self, max: usize) -> Result<Option<Vec<Eid>>, No> {
        self.cards("eids", max, |part| Eid::parse(part).map_err(|_| No::Code(errors::ICCIDS_WRONG)))
    }

    /// The order asked about: digits.
    pub fn order_id(self) -> Result<OrderId, No> {
        let text = self.required("orderId", codes::ORDER_ID_MALFORMED)?;
        whole(text.trim()).map(OrderId).ok_or(No::Code(codes::ORDER_ID_MALFORMED))
    }

    /// The device asked about.
    pub fn imei(self) -> Result<Imei, No> {
        let text = self.required("imei", errors::IMEI_WRONG)?;
        Imei::parse(&text).map_err(|_| No::Code(errors::IMEI_WRONG))
    }

    /// The IMEI group asked about.
    pub fn imei_group(self) -> Result<i64, No> {
        let wrong = No::Code(codes::PARAMETER_WRONG);
        self.number("plockGroupId", codes::PARAMETER_WRONG)?.ok_or(wrong)
    }

    /// The cards of `iccids`, each once, in the order given; none if the field is absent. `malformed` is the code of an
    /// entry that is no ICCID.
    pub fn iccids(self, max: usize, malformed: u32) -> Result<Option<Vec<Iccid>>, No> {
        self.iccid_list("iccids", max, malformed)
    }

    /// As [`Fields::iccids`], of a field of another name.
    pub fn iccid_list(self, name: &str, max: usize, malformed: u32) -> Result<Option<Vec<Iccid>>, No> {
        self.cards(name, max, |part| Iccid::parse(part).map_err(|_| No::Code(malformed)))
    }

    fn cards<T: PartialEq>(self, name: &str, max: usize, parse: impl Fn(&str) -> Result<T, No>) -> Result<Option<Vec<T>>, No> {
        let Some(text) = self.text(name, errors::ICCIDS_WRONG)? else { return Ok(None) };
        if text.split(',').nth(max).is_some() {
            return Err(No::Code(errors::ICCIDS_TOO_MANY));
        }
        let mut found = Vec::new();
        for part in text.split(',') {
            let card = parse(part)?;
            if !found.contains(&card) {
                found.push(card);
            }
        }
        Ok(Some(found))
    }

    /// A comma-separated list of whole numbers, if there is one.
    pub fn numbers(self, name: &str, code: u32) -> Result<Option<Vec<i64>>, No> {
        let Some(text) = self.text(name, code)? else { return Ok(None) };
        text.split(',').map(|part| whole(part.trim()).ok_or(No::Code(code))).collect::<Result<_, _>>().map(Some)
    }

    /// The entries of a comma-separated list of texts, each once, in the order given; empty without the field.
    pub fn texts(self, name: &str, code: u32) -> Result<Vec<String>, No> {
        let text = self.text(name, code)?.unwrap_or_default();
        let mut seen = HashSet::new();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty() && seen.insert(*part));
        Ok(parts.map(str::to_owned).collect())
    }

    /// A time written `yyyy-MM-dd HH:mm:ss` in China time, if there is one.
    pub fn time(self, name: &str) -> Result<Option<Timestamp>, No> {
        let Some(text) = self.text(name, errors::TIME_WRONG)? else { return Ok(None) };
        let full = Some(&*text).filter(|t| t.len() == 19);
        full.and_then(|t| CHINA.parse(t).ok()).map(Some).ok_or(No::Code(errors::TIME_WRONG))
    }

    /// Which page: number from 1 (under either of its names) and size, as records to pass over and records at most.
    pub fn page(self, number: &str, needed: bool, max: i64) -> Result<Page, No> {
        self.page_sized(number, needed, max, max)
    }

    /// As [`Fields::page`], with another size where none is given.
    pub fn page_sized(self, number: &str, needed: bool, usual: i64, max: i64) -> Result<Page, No> {
        let number = self.page_number(number, needed)?;
        let size = self.number("pageSize", errors::PAGE_SIZE_WRONG)?.unwrap_or(usual);
        if !(1..=max).contains(&size) {
            return Err(No::Code(errors::PAGE_SIZE_WRONG));
        }
        Ok(Page { offset: (number - 1).saturating_mul(size), size })
    }

    /// Which page of a list whose pages have one size; the number must be there.
    pub fn page_of(self, number: &str, size: i64) -> Result<Page, No> {
        Ok(Page { offset: (self.page_number(number, true)? - 1).saturating_mul(size), size })
    }

    fn page_number(self, name: &str, needed: bool) -> Result<i64, No> {
        match self.number(name, errors::PAGE_NUMBER_WRONG)? {
            Some(page) if page >= 1 => Ok(page),
            None if !needed => Ok(1),
            _ => Err(No::Code(errors::PAGE_NUMBER_WRONG)),
        }
    }
}

/// A stretch of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries to pass over.
    pub offset: i64,
    /// Entries at most.
    pub size: i64,
}

fn whole(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
