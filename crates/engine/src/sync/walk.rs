//! Following a carrier's feed of changes: day by day, page by page, each page settled with the place of the next.

use super::{Told, Went, Work, china};
use crate::error::Result;
use crate::told;
use kachi_domain::carrier::{Answer, Change, Changes, Line};
use kachi_domain::sync::{Walk, What};
use kachi_domain::{Iccid, Timestamp};
use kachi_store::Tx;
use kachi_store::sync::Asked;
use std::collections::BTreeMap;

/// What the feed is called among the requests made.
pub(super) const FEED: &str = "feed";

impl Work<'_> {
    /// Goes on with the walk, so many pages at most.
    pub(super) fn walk(&mut self, pages: u32) -> Result<Went> {
        for _ in 0..pages {
            let Some(day) = self.row.feed_day else { break };
            let (now, from) = (self.engine.now(), self.row.feed_page.clone());
            let (connector, before) = (self.connector, self.made);
            let told: Told<Changes> = self.ask(1, &|call| connector.changes(call, day, from.as_deref()))?;
            let page = match told {
                Err(Answer::Refused { code, reason }) => return self.walk_again(now, format!("{code} {reason}")),
                Err(no) => return self.no_answer(no),
                Ok(page) => page,
            };
            let began = self.row.walk_began.filter(|_| self.row.feed_page.is_some()).unwrap_or(now);
            self.row.walk_pages = if self.row.feed_page.is_some() { self.row.walk_pages + 1 } else { 1 };
            self.row.walk_began = Some(began);
            self.row.feed_page = page.next;
            let ended = self.row.feed_page.is_none();
            if ended {
                let walk = Walk { day, began, pages: self.row.walk_pages };
                let (day, due) = walk.next(self.engine.settings().sync);
                (self.row.feed_day, self.row.walk_due) = (Some(day), Some(due));
            }
            let requests = i64::from(self.made - before);
            if self.settle_page(page.changes, requests, now)? == Went::Rests {
                return Ok(Went::Rests);
            }
            if ended && self.row.walk_due.is_some_and(|due| due > now) {
                break;
            }
        }
        Ok(Went::On)
    }

    /// The carrier refuses the page, as when its numbering has changed: the walk begins anew later, and the rest goes on.
    fn walk_again(&mut self, now: Timestamp, words: String) -> Result<Went> {
        self.row.feed_page = None;
        self.row.walk_due = Some(now.plus(self.engine.settings().sync.state_seconds));
        self.row.words = words;
        self.keep_row()
    }

    /// Each card that changed stands as the feed, asked at an instant, tells; one whose state it does not tell, or that was changed
    /// since, is to be read.
    fn settle_page(&mut self, changes: Vec<Change>, requests: i64, asked_at: Timestamp) -> Result<Went> {
        let (platform, row) = (self.platform, self.row.clone());
        self.under_lease(move |tx, catalogue, how| {
            let mut changed = BTreeMap::new();
            for (sim, change) in found(tx, changes)? {
                changed.insert(sim, change.standing); // the last word of a page on a card counts
            }
            let ours = tx.on_platform(platform, &changed.keys().copied().collect::<Vec<_>>())?;
            let (mut lines, mut unread) = (Vec::new(), Vec::new());
            for sim in ours {
                match changed.remove(&sim.0).flatten() {
                    None => unread.push(sim.0),
                    Some(standing) => lines.push((sim, Line { standing: Some(standing), ..Line::default() })),
                }
            }
            let read: Vec<_> = lines.iter().map(|(sim, line)| (*sim, line)).collect();
            let outdated = told::stand(tx, catalogue, how, &read, asked_at)?;
            unread.extend(outdated.iter().map(|sim| sim.0));
            let known = lines.iter().filter(|(sim, _)| !outdated.contains(sim));
            let known =
                known.map(|(sim, _)| Asked { sim: sim.0, as_of: Some(how.now.0), held_until: None, words: String::new() });
            let asked: Vec<Asked> = known.collect();
            tx.note_asked(platform, What::State.word(), &asked, how.now)?;
            tx.forget_asked(What::State.word(), &unread)?;
            tx.add_sync_calls(platform, china().day(how.now), FEED, requests)?;
            Ok(tx.put_sync_place(platform, &row)?)
        })
    }
}

/// The cards that the changes are of, by whichever number is told; cards that nobody here knows are left out.
fn found(tx: &mut Tx<'_>, changes: Vec<Change>) -> Result<Vec<(i64, Change)>> {
    let iccid = |c: &Change| c.iccid.as_deref().and_then(|text| Iccid::parse(text).ok()).map(|i| i.as_str().to_owned());
    let iccids: Vec<Option<String>> = changes.iter().map(iccid).collect();
    let of_iccids: Vec<&str> = iccids.iter().flatten().map(String::as_str).collect();
    let numbers: Vec<&str> = changes.iter().filter(|c| c.iccid.is_none()).filter_map(|c| c.msisdn.as_deref()).collect();
    let mut sims: BTreeMap<String, i64> =
        tx.sims_of_iccids(&of_iccids)?.into_iter().map(|(number, sim, _)| (number, sim)).collect();
    if !numbers.is_empty() {
        sims.extend(tx.sims_of_msisdns(&numbers)?.into_iter().map(|(number, sim, _)| (number, sim)));
    }
    let mut found = Vec::with_capacity(changes.len());
    for (change, iccid) in changes.into_iter().zip(iccids) {
        if let Some(sim) = iccid.as_ref().or(change.msisdn.as_ref()).and_then(|number| sims.get(number)) {
            found.push((*sim, change));
        }
    }
    Ok(found)
}

/// When the next walk begins, for people.
pub(super) fn next_walk(due: Option<Timestamp>, page: Option<&str>) -> String {
    match (page, due) {
        (Some(page), _) => format!("on its way, at page {page}"),
        (None, Some(due)) => format!("due {due}"),
        (None, None) => "due now".to_owned(),
    }
}
