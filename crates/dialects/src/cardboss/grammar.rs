//! The grammar of every field, kept before anything is hashed, so that a joined text can be read one way only.

use super::codes;
use super::form::Form;
use super::operation::Operation;

/// Numbers in the list of one question.
pub const LIST_MAX: usize = 100;
/// Numbers that one message goes to.
pub const MOBILES_MAX: usize = 1000;

/// What is wrong with a request, before its signature is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The published code.
    pub code: u32,
    /// The parameter; empty if it is none in particular.
    pub field: &'static str,
    /// What a good value is.
    pub rule: &'static str,
}

impl Fault {
    /// 1031: a value is wrong.
    pub const fn value(field: &'static str, rule: &'static str) -> Fault {
        Fault { code: codes::VALUE_WRONG, field, rule }
    }

    const fn missing(field: &'static str) -> Fault {
        Fault { code: codes::PARAMETER_MISSING, field, rule: "不能为空" }
    }
}

/// Reads a query or form and holds every field of the operation to its grammar.
///
/// # Errors
/// The first field that is missing (1012) or wrong, with its code.
pub fn read(operation: Operation, raw: &[u8]) -> Result<Form, Fault> {
    let mut form = Form::parse(raw)?;
    if operation == Operation::UsagePast {
        // The source's table names it so, its address and its formula the other way.
        form.stand_in("iccids", "iccid");
    }
    for field in ["sid", "sign", "ts"] {
        if form.get(field).is_empty() {
            return Err(Fault::missing(field));
        }
    }
    rule(form.get("ts").len() == 14 && digits(form.get("ts")), codes::DATE_WRONG, "ts", "格式为yyyyMMddHHmmss")?;
    fields(operation, &form)?;
    Ok(form)
}

/// Holds a message that came encrypted to the grammar of one that did not.
///
/// # Errors
/// A malformed number (1008), too many of them (1003), or too long a text (1002).
pub fn read_message(mobiles: &str, content: &str) -> Result<(), Fault> {
    fields(Operation::SmsIot, &[("mobile", mobiles), ("content", content)].into_iter().collect())
}

fn fields(operation: Operation, form: &Form) -> Result<(), Fault> {
    match operation {
        Operation::CustomerGet | Operation::PoolList | Operation::SmsReport | Operation::SmsMo => Ok(()),
        Operation::CardList | Operation::CardAbnormal => page(form),
        Operation::CardDetail | Operation::UsageCurrent => lists(form),
        Operation::UsagePast => {
            lists(form)?;
            date(form, "month", 6, "格式为yyyyMM")?;
            one_of(form, "showday", &["", "0", "1"], "取值为0或1")
        }
        Operation::UsageDay => {
            lists(form)?;
            date(form, "day", 8, "格式为yyyyMMdd")
        }
        Operation::PkgGet | Operation::StopTest | Operation::ForActive => card(form),
        Operation::PkgRenew => renewal(form),
        Operation::StopKeep => {
            card(form)?;
            switch(form, "stopkeep")
        }
        Operation::SwitchNet => {
            card(form)?;
            switch(form, "opertype")?;
            let apn = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let name = form.get("apnname");
            rule(name.len() <= 63 && name.chars().all(apn), codes::VALUE_WRONG, "apnname", "为APN名称")?;
            let margin = form.get("marginrat");
            let good = margin.is_empty() || margin == "0" || plain(margin, 100);
            rule(good, codes::VALUE_WRONG, "marginrat", "为0至100的整数")
        }
        Operation::VoiceWhitelist => voice(form),
        Operation::SmsIot => {
            required(form, "mobile")?;
            required(form, "content")?;
            numbers(form, "mobile", |n| is_msisdn(n) || is_iccid(n), MOBILES_MAX, codes::NUMBERS_TOO_MANY)?;
            chars(form, "content")
        }
        Operation::SmsIotEncrypted => required(form, "text"),
        Operation::SmsPhone => {
            for field in ["mobile", "tplid", "content"] {
                required(form, field)?;
            }
            let phone = |n: &str| n.len() == 11 && n.starts_with('1') && digits(n);
            numbers(form, "mobile", phone, MOBILES_MAX, codes::NUMBERS_TOO_MANY)?;
            rule(form.get("tplid").chars().count() <= 64, codes::VALUE_WRONG, "tplid", "最多64个字符")?;
            chars(form, "content")
        }
    }
}

fn renewal(form: &Form) -> Result<(), Fault> {
    required(form, "pkgcode")?;
    required(form, "month")?;
    card(form)?;
    rule(form.get("pkgcode").chars().count() <= 64, codes::VALUE_WRONG, "pkgcode", "最多64个字符")?;
    rule(plain(form.get("month"), 99), codes::VALUE_WRONG, "month", "为1至99的整数, 不带前导零")?;
    one_of(form, "repetition", &["", "0", "1"], "取值为0或1")?;
    one_of(form, "audit", &["", "1", "2"], "取值为1或2")?;
    let start = form.get("startdate");
    let shape = start.len() == 10
        && start.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    rule(start.is_empty() || shape, codes::DATE_WRONG, "startdate", "格式为yyyy-MM-dd")?;
    rule(form.get("remark").chars().count() <= 200, codes::VALUE_WRONG, "remark", "最多200个字符")
}

/// White-list numbers: 11 digits that begin with 1 or 0, or 12 that begin with an area code of three digits after its 0;
/// without a group also service numbers and local ones of 3 to 10 digits, such as 10086 and 4001234567. No number of 12
/// digits is one of 11 with a digit before it, and none of at most 10 holds a group and a number.
fn voice(form: &Form) -> Result<(), Fault> {
    card(form)?;
    switch(form, "opertype")?;
    required(form, "content")?;
    let group = form.get("taskid");
    rule(
        group.len() <= 64 && group.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
        codes::VALUE_WRONG,
        "taskid",
        "为群组ID",
    )?;
    let good = |n: &str| {
        let b = n.as_bytes();
        digits(n)
            && match n.len() {
                3..=10 => group.is_empty(),
                11 => matches!(b[0], b'0' | b'1'),
                12 => b[0] == b'0' && (b'3'..=b'9').contains(&b[1]),
                _ => false,
            }
    };
    let content = form.get("content");
    rule(
        content.split('_').all(good),
        codes::NUMBER_WRONG,
        "content",
        "为白名单号码, 指定taskid时为11位或12位, 删除时多个以_隔开",
    )?;
    let most = if form.get("opertype") == "0" { 2 } else { 1 };
    rule(content.split('_').count() <= most, codes::VALUE_WRONG, "content", "删除时最多2个号码, 新增时每次1个")
}

fn rule(good: bool, code: u32, field: &'static str, rule: &'static str) -> Result<(), Fault> {
    if good { Ok(()) } else { Err(Fault { code, field, rule }) }
}

fn required(form: &Form, field: &'static str) -> Result<(), Fault> {
    if form.get(field).is_empty() { Err(Fault::missing(field)) } else { Ok(()) }
}

fn one_of(form: &Form, field: &'static str, words: &[&str], words_are: &'static str) -> Result<(), Fault> {
    rule(words.contains(&form.get(field)), codes::VALUE_WRONG, field, words_are)
}

fn switch(form: &Form, field: &'static str) -> Result<(), Fault> {
    required(form, field)?;
    one_of(form, field, &["0", "1"], "取值为0或1")
}

fn page(form: &Form) -> Result<(), Fault> {
    required(form, "pageindex")?;
    rule(plain(form.get("pageindex"), 99_999_999), codes::VALUE_WRONG, "pageindex", "为从1开始的整数, 不带前导零")
}

fn date(form: &Form, field: &'static str, length: usize, shape: &'static str) -> Result<(), Fault> {
    required(form, field)?;
    rule(form.get(field).len() == length && digits(form.get(field)), codes::DATE_WRONG, field, shape)
}

fn chars(form: &Form, field: &'static str) -> Result<(), Fault> {
    rule(form.get(field).chars().count() <= codes::SMS_CHARS_MAX, codes::SMS_TOO_LONG, field, "最多350个字")
}

/// `msisdns` and `iccids`: one of them at least.
fn lists(form: &Form) -> Result<(), Fault> {
    if form.get("msisdns").is_empty() && form.get("iccids").is_empty() {
        return Err(Fault { code: codes::PARAMETER_MISSING, field: "msisdns", rule: "与iccids不能同时为空" });
    }
    numbers(form, "msisdns", is_msisdn, LIST_MAX, codes::VALUE_WRONG)?;
    numbers(form, "iccids", is_iccid, LIST_MAX, codes::VALUE_WRONG)
}

/// `msisdn` and `iccid`: one of them at least.
fn card(form: &Form) -> Result<(), Fault> {
    if form.get("msisdn").is_empty() && form.get("iccid").is_empty() {
        return Err(Fault { code: codes::PARAMETER_MISSING, field: "msisdn", rule: "与iccid不能同时为空" });
    }
    let good = |field: &'static str, is: fn(&str) -> bool, shape| {
        let text = form.get(field);
        rule(text.is_empty() || is(text), codes::NUMBER_WRONG, field, shape)
    };
    good("msisdn", is_msisdn, MSISDN)?;
    good("iccid", is_iccid, ICCID)
}

fn numbers(form: &Form, field: &'static str, is: impl Fn(&str) -> bool, max: usize, too_many: u32) -> Result<(), Fault> {
    let list = form.list(field);
    rule(list.len() <= max, too_many, field, if max == LIST_MAX { "最多100个号码" } else { "最多1000个号码" })?;
    rule(list.iter().all(|n| is(n)), codes::NUMBER_WRONG, field, "号码格式错误, 多个号码以英文逗号隔开, 不含空格")
}

const MSISDN: &str = "为11位或13位数字";
const ICCID: &str = "为以89开头的19位或20位卡串号";

fn is_msisdn(text: &str) -> bool {
    matches!(text.len(), 11 | 13) && digits(text)
}

/// Every ICCID begins with 89 (ITU-T E.118); without that, digits of the number before it could be taken for its own.
fn is_iccid(text: &str) -> bool {
    matches!(text.len(), 19 | 20) && text.starts_with("89") && text.bytes().fold(true, |all, b| all & b.is_ascii_hexdigit())
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// A whole number from 1 to `max` without leading zero.
fn plain(text: &str, max: u32) -> bool {
    digits(text) && !text.starts_with('0') && text.parse::<u32>().is_ok_and(|n| n <= max)
}
