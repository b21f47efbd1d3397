//! Why a card is off line: the panel on its page.

use super::html::{Html, View};
use super::lang;
use kachi_domain::diagnose::{Certainty, Found, Lang, Look, Reader, Report};
use std::fmt::Write;

/// The panel's inside. Commands are for the operator alone; nobody else has the program.
pub fn panel(view: &View, report: &Report, is_operator: bool) -> Html {
    let reader = reader(view);
    let lang = reader.lang;
    let mut out = format!("<p class=\"verdict\">{}</p>", Html::text(&report.verdict(lang)));
    if !report.causes.is_empty() {
        out += "<ol class=\"causes\">";
        report.causes.iter().for_each(|f| out += &cause(view, report, (f, is_operator), reader));
        out += "</ol>";
    }
    let _ = write!(out, "<h3>{}</h3>", lang.pick("At the device", "设备侧"));
    out += &looks(view, &report.at_the_device(reader), lang);
    if report.causes.is_empty() {
        let _ = write!(out, "<p>{}</p>", Html::text(Report::advice(lang)));
    }
    Html(out)
}

/// Who looks, as a diagnosis is told.
pub fn reader(view: &View) -> Reader<'_> {
    let lang = match view.lang {
        lang::Lang::En => Lang::En,
        lang::Lang::Zh => Lang::Zh,
    };
    Reader { lang, zone: Some(&view.zone) }
}

fn cause(view: &View, report: &Report, (found, is_operator): (&Found, bool), reader: Reader<'_>) -> String {
    let lang = reader.lang;
    let row = found.cause.row();
    let tone = match found.certainty {
        Certainty::Certain => "bad",
        Certainty::Likely => "warn",
        Certainty::Possible => "",
    };
    let command = found.command(&report.card.iccid).filter(|_| is_operator);
    let ways = command.into_iter().chain(found.operations(&report.card.iccid));
    let ways: Vec<String> = ways.map(|way| format!("<code>{}</code>", Html::text(&way))).collect();
    format!(
        "<li><strong>{}</strong> {} {}<br>{}{}{}{}<br>{}{}</li>",
        Html::text(found.cause.title(lang)),
        Html::text(&found.of),
        Html::tag(tone, found.certainty.says(lang)),
        lang.pick("Who can fix it: ", "可由谁处理："),
        Html::text(row.who.says(lang)),
        colon(lang),
        Html::text(found.act.says(lang)),
        ways.join("<br>"),
        looks(view, &report.looks(found, reader), lang)
    )
}

fn colon(lang: Lang) -> &'static str {
    lang.pick(": ", "：")
}

/// What was looked at, each with its source and age; what is not known, and why.
fn looks(view: &View, all: &[Look], lang: Lang) -> String {
    let one = |look: &Look| match look {
        Ok(e) => format!(
            "<li>{}{}{} <small>{} · {}</small></li>",
            Html::text(e.topic.says(lang)),
            colon(lang),
            Html::text(&e.value),
            Html::text(e.source.says(lang)),
            view.time(Some(e.as_of))
        ),
        Err(gap) => format!("<li><small>{}</small></li>", Html::text(&gap.says(lang))),
    };
    format!("<ul class=\"looks\">{}</ul>", all.iter().map(one).collect::<String>())
}
