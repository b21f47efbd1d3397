//! A card as a product of China Telecom (`prodInstQuery`): the packages it has, and whether its data was cut because so much was used;
//! and what the older portal tells of a package's use.

use super::{Fields, time};
use crate::amount;
use kachi_domain::carrier::{Bought, Stop};
use kachi_domain::sim::Blocks;

/// The packages of a product (facts C2.4).
pub fn offers(product: &Fields) -> Vec<Bought> {
    let rows = product.rows(&["prodOfferName", "prodOfferNbr", "effDate", "expDate"]);
    let one = |row: &Fields| {
        let name = row.get(&["prodOfferName"]).or(row.get(&["prodOfferNbr"]))?.to_owned();
        let code = row.get(&["prodOfferNbr"]).unwrap_or(&name).to_owned();
        Some(Bought { code, name, ends: row.get(&["expDate"]).and_then(time), ..Bought::default() })
    };
    rows.iter().filter_map(one).collect()
}

/// Adds what `queryPakage` tells of the use of packages, by their names; one that only it tells is added. The names of its fields are
/// those of public clients (`CumulRspList` with `CUMULATION_*`, a `UNIT_NAME` behind them, `END_TIME`, `OFFER_ID`); in some an amount
/// carries its own unit.
pub fn add_use(packages: &mut Vec<Bought>, told: &Fields) {
    const NAMES: [&str; 4] = ["OFFER_NAME", "prodOfferName", "offerName", "packageName"];
    const TOTALS: [&str; 3] = ["CUMULATION_TOTAL", "totalFlow", "total"];
    const USED: [&str; 3] = ["CUMULATION_ALREADY", "usedFlow", "used"];
    const MORE: [&str; 3] = ["UNIT_NAME", "END_TIME", "OFFER_ID"];
    let all: Vec<&str> = NAMES.iter().chain(&TOTALS).chain(&USED).chain(&MORE).copied().collect();
    for row in told.rows(&all) {
        let Some(name) = row.get(&NAMES) else { continue };
        let unit = row.get(&["UNIT_NAME"]).unwrap_or_default();
        let in_unit = |amount: &str| amount::with_unit(amount).or_else(|| amount::with_unit(&format!("{amount}{unit}")));
        let bytes = |names: &[&str]| row.get(names).and_then(in_unit);
        let used = (bytes(&TOTALS), bytes(&USED));
        if used == (None, None) && packages.iter().any(|p| p.name == name) {
            continue; // its calls or messages
        }
        match packages.iter_mut().find(|p| p.name == name && p.total_bytes.is_none()) {
            Some(package) => (package.total_bytes, package.used_bytes) = used,
            None => {
                let code = row.get(&["OFFER_ID"]).unwrap_or(name).to_owned();
                let ends = row.get(&["END_TIME"]).and_then(time);
                packages.push(Bought { code, name: name.to_owned(), total_bytes: used.0, used_bytes: used.1, ends });
            }
        }
    }
}

/// Whether the card's data was cut because so much was used, where the product says so.
pub fn is_over_quota(product: &Fields) -> bool {
    let rows = product.rows(&["attrName", "attrValue"]);
    let is_it = |row: &Fields| row.get(&["attrName"]) == Some("是否已达量断网") && row.get(&["attrValue"]) == Some("是");
    rows.iter().any(is_it)
}

/// Why a card has no network, with what its product says of it: the name of its state, and whether its data was cut for what it used
/// rather than at somebody's wish.
pub fn explain(stop: Stop, product: &Fields) -> Stop {
    let state = product.get(&["prodStatusName"]).map(by_name).unwrap_or_default();
    let mut blocks = stop.blocks.0 | state.blocks.0;
    let mut words: Vec<&str> = [stop.words.as_str(), state.words.as_str()].into_iter().filter(|w| !w.is_empty()).collect();
    if is_over_quota(product) {
        blocks = blocks & !Blocks::DATA_OFF.0 | Blocks::QUOTA.0;
        words.push("已达量断网");
    }
    words.dedup();
    Stop { blocks: Blocks(blocks), words: words.join(", "), ..stop }
}

/// Why a card is stopped, by the name of its product's state.
fn by_name(name: &str) -> Stop {
    const NUMBERS: [&str; 7] = ["2", "5", "6", "7", "8", "120000", "150001"];
    NUMBERS.iter().map(|number| super::product_stop(number)).find(|stop| stop.words == name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(state: &str, cut: &str) -> Fields {
        let text = format!(
            "<root><prodInfos><prodStatusName>{state}</prodStatusName><funProdInfos><productName>达量断网</productName>\
             <attrInfos><attrName>是否已达量断网</attrName><attrValue>{cut}</attrValue></attrInfos>\
             <attrInfos><attrName>断网阀值</attrName><attrValue>100MB</attrValue></attrInfos></funProdInfos>\
             <prodOfferInfos><prodOfferName>A</prodOfferName><prodOfferNbr>1</prodOfferNbr><effDate>20260301000000</effDate>\
             <expDate>20260401000000</expDate></prodOfferInfos>\
             <prodOfferInfos><prodOfferName>B</prodOfferName><prodOfferNbr>2</prodOfferNbr></prodOfferInfos></prodInfos></root>"
        );
        Fields::read(&text).unwrap()
    }

    #[test]
    fn packages_are_told_with_their_use() {
        let mut packages = offers(&product("在用", "否"));
        let told = r#"{"PRODUCT_OFF_INFO":[
            {"OFFER_NAME":"B","CUMULATION_ALREADY":"1.00MB","CUMULATION_LEFT":"2.00MB","CUMULATION_TOTAL":"3.00MB"},
            {"OFFER_NAME":"C","CUMULATION_TOTAL":"1.00KB"}]}"#;
        add_use(&mut packages, &Fields::read(told).unwrap());
        let row = |name: &str, id: &str, used: u32, unit: &str| {
            format!(
                "<CumulRspList><ACCU_NAME>x</ACCU_NAME><CUMULATION_ALREADY>{used}</CUMULATION_ALREADY><CUMULATION_LEFT>1</CUMULATION_LEFT>\
                 <CUMULATION_TOTAL>1048576</CUMULATION_TOTAL><END_TIME>20260331000000</END_TIME><OFFER_ID>{id}</OFFER_ID>\
                 <OFFER_NAME>{name}</OFFER_NAME><UNIT_NAME>{unit}</UNIT_NAME></CumulRspList>"
            )
        };
        let told = format!("<root>{}{}<IRESULT>0</IRESULT></root>", row("A", "7", 9858, "KB"), row("D", "8", 3, "条"));
        add_use(&mut packages, &Fields::read(&told).unwrap());
        let shown: Vec<_> = packages.iter().map(|p| (p.code.as_str(), p.total_bytes, p.used_bytes, p.ends.is_some())).collect();
        assert_eq!(
            shown,
            [
                ("1", Some(1 << 30), Some(9858 << 10), true),
                ("2", Some(3 << 20), Some(1 << 20), false),
                ("C", Some(1024), None, false),
                ("8", None, None, true)
            ]
        );
    }

    #[test]
    fn a_reason_is_told_by_the_product() {
        let main = |blocks: Blocks| Stop { blocks, raw: "5".into(), words: String::new() };
        let of = |state: &str, cut: &str, blocks| {
            let told = explain(main(blocks), &product(state, cut));
            (told.blocks, told.words)
        };
        assert_eq!(of("用户报停", "否", Blocks::NONE), (Blocks::OWNER_STOP, "用户报停".into()));
        assert_eq!(of("欠停双向", "否", Blocks::NONE), (Blocks::CREDIT, "欠停双向".into()));
        assert_eq!(of("在用", "是", Blocks::DATA_OFF), (Blocks::QUOTA, "已达量断网".into()), "nobody switched it off");
        assert_eq!(of("在用", "否", Blocks::DATA_OFF), (Blocks::DATA_OFF, String::new()));
    }
}
