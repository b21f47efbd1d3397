//! Usage per day as bars, drawn on the server, with the same figures as a table behind it.

use super::html::{Esc, Html, Table, View, size};
use kachi_domain::time::day_text;
use kachi_engine::overview::Days;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
/// Room for the longest label, `1000 MB`, in the letters of a narrow screen.
const LEFT: f64 = 108.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;

/// Days between two labels of the day axis.
const DAYS_APART: usize = 15;

/// The chart with its summary, its age and its table. `what` names whose usage it is.
pub fn usage(view: &View, what: &str, usage: &Days) -> Html {
    let total: i64 = usage.days.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let days = usage.days.len();
    let summary =
        view.lang.pick(format!("{what}: {} in {days} days", size(total)), format!("{what}：{days} 天共 {}", size(total)));
    let mut out = format!("<figure class=\"chart\"><figcaption>{}</figcaption>{}", Esc(&summary), svg(&summary, usage));
    out.push_str("</figure>");
    out += &view
        .as_of(view.lang.pick("Source: usage records, by day of the account's zone", "来源：话单，按账户时区计日"), usage.as_of);
    let mut table = Table::new(&summary, &[(view.lang.pick("Day", "日期"), ""), (view.lang.pick("Usage", "用量"), "num")]);
    for (day, bytes) in usage.days.iter().rev().filter(|(_, bytes)| *bytes > 0) {
        table.row(&day_text(*day), &[Html(day_text(*day)), Html(size(*bytes))]);
    }
    let _ = write!(
        out,
        "<details><summary>{}</summary>{}</details>",
        view.lang.pick("The figures as a table", "以表格查看"),
        table.or_empty(view.lang.pick("No usage in these days.", "这些天没有用量。"))
    );
    Html(out)
}

fn svg(summary: &str, usage: &Days) -> String {
    let most = usage.days.iter().map(|d| d.1).max().unwrap_or(0);
    let step = step(most);
    let lines = (most / step + i64::from(most % step != 0)).max(1);
    let top = (step as f64) * (lines as f64);
    let y = |bytes: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - bytes / top);
    let slot = (WIDTH - LEFT - RIGHT) / (usage.days.len().max(1) as f64);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", Esc(summary));
    for line in 0..=lines {
        let (at, bytes) = (y((step * line) as f64), step * line);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"axis\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            if bytes == 0 { "0".to_owned() } else { size(bytes).replace(".0 ", " ") }
        );
    }
    for (i, (day, bytes)) in usage.days.iter().enumerate() {
        let (x, head) = (LEFT + slot * i as f64, y(*bytes as f64));
        let _ = write!(
            out,
            "<rect class=\"day\" x=\"{:.1}\" y=\"{head:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}: {}</title></rect>",
            x + slot * 0.1,
            slot * 0.8,
            HEIGHT - BOTTOM - head,
            day_text(*day),
            size(*bytes)
        );
        let from_end = usage.days.len() - 1 - i;
        if from_end.is_multiple_of(DAYS_APART) {
            let class = if (from_end / DAYS_APART).is_multiple_of(2) { "axis" } else { "axis between" };
            let anchor = if from_end == 0 { "end" } else { "middle" };
            let at = if from_end == 0 { x + slot } else { x + slot / 2.0 };
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
                HEIGHT - 8.0,
                &day_text(*day)[5..]
            );
        }
    }
    out + "</svg>"
}

/// The distance of the lines: 1, 2 or 5 times a power of ten of the fitting unit, so that there are at most five.
fn step(most: i64) -> i64 {
    let mut unit: i64 = 1;
    while unit < 1 << 50 && most / unit >= 1024 {
        unit *= 1024;
    }
    for factor in [1, 2, 5, 10, 20, 50, 100, 200, 250] {
        let step = unit * factor;
        if most / step < 5 {
            return step;
        }
    }
    unit * 512
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters of a narrow screen in the picture's own units (`page.css`), and how wide one is at most on the average of a label.
    const NARROW: f64 = 22.0;
    const WIDE: f64 = 0.64;

    #[test]
    fn every_label_has_room_left_of_the_bars() {
        let sheet = include_str!("assets/page.css");
        assert!(sheet.contains(&format!(".chart .axis {{ font-size: {NARROW}px; }}")));
        let mosts = (0..62_u32).flat_map(|n| [1_i64 << n, 400 << n.min(50), 1000 << n.min(50), (1 << n) - 1]);
        for most in mosts {
            let drawn = svg("", &Days { days: vec![(0, most)], as_of: None });
            let labels = drawn.split("text-anchor=\"end\">").skip(1).filter_map(|rest| rest.split('<').next());
            let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
            assert!(longest as f64 * NARROW * WIDE <= LEFT - 8.0, "{most}: {longest} letters");
        }
    }

    #[test]
    fn the_lines_are_few_and_reach_the_highest_bar() {
        for most in [0, 1, 999, 1023, 1024, 7_340_032, 1 << 40, 900 << 30, 1 << 60, i64::MAX] {
            let step = step(most);
            assert!(step > 0 && most / step <= 1 << 13, "{most}: {step}");
            assert!(most > 1 << 59 || most / step < 5, "{most}: {step}");
        }
    }
}
