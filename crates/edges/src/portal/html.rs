//! Making HTML: text that is escaped by its type, tables, times, sizes and sums.

use super::lang::Lang;
use kachi_domain::{Money, Timestamp, Zone};
use std::fmt::{self, Write};

/// Text shown as it is: the only way a foreign word gets into the page.
pub struct Esc<'a>(pub &'a str);

impl fmt::Display for Esc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Finished HTML.
#[derive(Debug, Clone, Default)]
pub struct Html(pub String);

impl Html {
    /// Any text, escaped.
    pub fn text(text: &str) -> Html {
        Html(Esc(text).to_string())
    }

    /// A text in muted type; nothing for an empty one.
    pub fn small(text: &str) -> Html {
        if text.is_empty() { Html::default() } else { Html(format!("<small>{}</small>", Esc(text))) }
    }

    /// A word in a coloured frame; the colour only repeats what the word says.
    pub fn tag(tone: &str, text: &str) -> Html {
        Html(format!("<span class=\"tag {tone}\">{}</span>", Esc(text)))
    }

    /// A link to a card's page.
    pub fn card(iccid: &str) -> Html {
        Html(format!("<a class=\"number\" href=\"/sims/{0}\">{0}</a>", Esc(iccid)))
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who looks, and from when and where.
#[derive(Debug, Clone)]
pub struct View {
    /// The page's language.
    pub lang: Lang,
    /// The present.
    pub now: Timestamp,
    /// The zone of the account that looks.
    pub zone: Zone,
    /// Its name.
    pub zone_name: String,
}

impl View {
    /// An instant as its distance from now, the exact time on hover; a dash where there is none. The page's script lets the distance
    /// grow from `data-age` on.
    pub fn time(&self, at: Option<Timestamp>) -> Html {
        let Some(at) = at else { return Html("–".into()) };
        let exact = format!("{} ({})", self.zone.text(at), self.zone_name);
        let seconds = self.now.since(at);
        Html(format!("<time datetime=\"{at}\" title=\"{}\" data-age=\"{seconds}\">{}</time>", Esc(&exact), self.age(at)))
    }

    /// An instant as date and time of the account's zone.
    pub fn date(&self, at: Option<Timestamp>) -> Html {
        let Some(at) = at else { return Html("–".into()) };
        Html(format!("<time datetime=\"{at}\" title=\"{}\">{}</time>", Esc(&self.zone_name), &self.zone.text(at)[..16]))
    }

    /// The line under a section that says how old its figures are.
    pub fn as_of(&self, what: &str, at: Option<Timestamp>) -> String {
        let when = match at {
            Some(_) => format!("{} {}", self.lang.pick("as of", "截至"), self.time(at)),
            None => self.lang.pick("nothing known yet", "暂无数据").to_owned(),
        };
        format!("<p class=\"source\">{} · {when}</p>", Esc(what))
    }

    fn age(&self, at: Timestamp) -> String {
        let seconds = self.now.since(at);
        let (number, en, zh) = match seconds.unsigned_abs() {
            s @ 0..120 => (s, "s", "秒"),
            s @ 120..7200 => (s / 60, "min", "分钟"),
            s @ 7200..172_800 => (s / 3600, "h", "小时"),
            s => (s / 86_400, "days", "天"),
        };
        match (self.lang, seconds < 0) {
            (Lang::En, false) => format!("{number} {en} ago"),
            (Lang::En, true) => format!("in {number} {en}"),
            (Lang::Zh, false) => format!("{number} {zh}前"),
            (Lang::Zh, true) => format!("{number} {zh}后"),
        }
    }
}

/// Bytes in the unit that fits, powers of 1024, one decimal.
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    let mut tenths = i128::from(bytes) * 10;
    if tenths.abs() < 10_240 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    tenths /= 1024;
    while tenths.abs() >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, (tenths % 10).abs(), UNITS[unit])
}

/// A number with its thousands apart.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A sum with its thousands apart and its currency.
pub fn sum(money: Money) -> Html {
    let decimal = money.to_decimal();
    let (whole, part) = decimal.split_once('.').map_or((decimal.as_str(), String::new()), |(w, p)| (w, format!(".{p}")));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let whole = digits.parse().map_or_else(|_| digits.to_owned(), count);
    Html(format!("{sign}{whole}{part} <abbr>{}</abbr>", money.currency))
}

/// Used and left as words with a bar; the bar alone says nothing.
pub fn allowance(lang: Lang, used: i64, left: Option<i64>) -> Html {
    let Some(left) = left else {
        return Html(format!("{} <small>{}</small>", size(used), lang.pick("no limit", "不限量")));
    };
    let whole = used.saturating_add(left).max(1);
    let percent = (i128::from(used) * 100 / i128::from(whole)).clamp(0, 100);
    let tone = match percent {
        100.. => "bad",
        80..100 => "warn",
        _ => "good",
    };
    Html(format!(
        "<span class=\"meter\"><svg class=\"bar {tone}\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"whole\" width=\"100\" height=\"6\"/><rect class=\"part\" width=\"{percent}\" height=\"6\"/></svg>\
         <span>{} / {} <small>({percent}&nbsp;%)</small></span></span>",
        size(used),
        size(used.saturating_add(left)),
    ))
}

/// A table that is read as one, and as cards on a narrow screen.
pub struct Table {
    out: String,
    heads: Vec<(&'static str, &'static str)>,
    rows: usize,
}

impl Table {
    /// A table with its caption and columns: (head, class).
    pub fn new(caption: &str, heads: &[(&'static str, &'static str)]) -> Table {
        let mut out = format!("<table><caption>{}</caption><thead><tr>", Esc(caption));
        for (head, class) in heads {
            let _ = write!(out, "<th scope=\"col\" class=\"{class}\">{}</th>", Esc(head));
        }
        out.push_str("</tr></thead><tbody>");
        Table { out, heads: heads.to_vec(), rows: 0 }
    }

    /// A row; its key tells new rows from known ones.
    pub fn row(&mut self, key: &str, cells: &[Html]) {
        self.rows += 1;
        let _ = write!(self.out, "<tr data-key=\"{}\">", Esc(key));
        for (i, (cell, (head, class))) in cells.iter().zip(&self.heads).enumerate() {
            let (element, scope) = if i == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
            let _ = write!(
                self.out,
                "<{element}{scope} class=\"{class}\" data-label=\"{}\"><span>{cell}</span></{element}>",
                Esc(head)
            );
        }
        self.out.push_str("</tr>");
    }

    /// The table, or the words where it has no rows.
    pub fn or_empty(self, words: &str) -> Html {
        if self.rows == 0 {
            return Html(format!("<p class=\"empty\">{}</p>", Esc(words)));
        }
        Html(self.out + "</tbody></table>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_counts_and_escapes() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KB");
        assert_eq!(size(100 << 20), "100.0 MB");
        assert_eq!(size(i64::MAX), "7.9 EB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-999), "-999");
        let usd = |minor| sum(Money { minor, currency: kachi_domain::Currency::USD }).0;
        assert_eq!(usd(-5), "-0.05 <abbr>USD</abbr>");
        assert_eq!(usd(-123_456_789), "-1,234,567.89 <abbr>USD</abbr>");
        assert_eq!(Html::text("<a href='x'>\"&").0, "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
