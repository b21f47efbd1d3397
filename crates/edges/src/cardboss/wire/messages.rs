//! Messages handed in, reports on them, and replies.

use crate::cardboss::CHINA;
use kachi_engine::sms::{Reply, Report, Sent};
use serde::Serialize;

/// What was handed in.
#[derive(Serialize)]
pub struct Handed<'a> {
    count: i64,
    fee: i64,
    taskid: &'a str,
    tasked: &'a str,
}

impl<'a> Handed<'a> {
    /// A batch.
    pub fn of(sent: &'a Sent) -> Handed<'a> {
        Handed { count: sent.count, fee: sent.fee, taskid: &sent.task, tasked: &sent.task }
    }
}

/// sms/rpt/get.
#[derive(Serialize)]
pub struct Reports<'a> {
    /// How many are here.
    pub count: usize,
    /// The reports.
    pub rpts: Vec<ReportLine<'a>>,
}

/// A report.
#[derive(Serialize)]
pub struct ReportLine<'a> {
    taskid: &'a str,
    mobile: &'a str,
    state: &'a str,
    stat: &'a str,
    rpttime: String,
}

impl<'a> ReportLine<'a> {
    /// What became of a message.
    pub fn of(report: &'a Report) -> ReportLine<'a> {
        let Report { task, mobile, state, at } = report;
        ReportLine { taskid: task, mobile, state, stat: state, rpttime: CHINA.text(*at) }
    }
}

/// sms/mo/get.
#[derive(Serialize)]
pub struct Replies<'a> {
    /// How many are here.
    pub count: usize,
    /// The replies.
    pub mos: Vec<ReplyLine<'a>>,
}

/// A reply.
#[derive(Serialize)]
pub struct ReplyLine<'a> {
    content: &'a str,
    apmid: &'a str,
    spcode: &'a str,
    scode: &'a str,
    mobile: &'a str,
}

impl<'a> ReplyLine<'a> {
    /// What a card's device wrote.
    pub fn of(reply: &'a Reply) -> ReplyLine<'a> {
        ReplyLine { content: &reply.text, apmid: &reply.id, spcode: &reply.to, scode: &reply.to, mobile: &reply.mobile }
    }
}
