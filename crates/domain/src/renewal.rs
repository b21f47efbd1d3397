//! Renewing a card's package for some months: for how many, what is then sold, when it starts and how the order is numbered.
//!
//! The rules are CardBOSS v2.2.2's (3.4.1): month packages for twelve months at least, the others for whole multiples of
//! their cycle; without a date the package starts after the last valid one, or at once where there is none. Ours: a top-up adds to
//! what is in use and starts at once; a date on which another package has the card's one main place is refused.

use crate::ledger::Share;
use crate::package::{Category, Kind, Resource, Terms, Window, words};
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp, Zone};

/// Months a month package is sold for at least.
pub const MONTH_PACKAGE_LEAST: u32 = 12;
/// Months of one renewal at most (ours: two digits, so that no code of a package before them is read as another's, and no date or
/// sum can overflow). A package whose cycle is longer is renewed for one of it.
pub const MONTHS_MAX: u32 = 99;
/// Days that a renewal may be dated ahead at most (ours).
pub const DAYS_AHEAD_MAX: i64 = 3_660;

words!(/// Who lets a renewal go to the carrier.
Review {
    /// The operator, order by order.
    Manual = "manual",
    /// Nobody: the balance is enough.
    Automatic = "automatic",
});

/// Months of the package's own validity: a renewal is for a multiple of it. Of a validity in days, 30 are a month, rounded
/// to the nearest, one at least.
pub fn cycle_months(terms: &Terms) -> u32 {
    match terms.validity {
        Span::Months(n) => n.max(1),
        Span::Days(n) => (n.saturating_add(15) / 30).max(1),
    }
}

/// Months a renewal is for at least.
pub fn least_months(terms: &Terms) -> u32 {
    let cycle = cycle_months(terms);
    match terms.category {
        Category::Month => MONTH_PACKAGE_LEAST.div_ceil(cycle) * cycle,
        _ => cycle,
    }
}

/// For how many months the package can be renewed: (at least, at most), each a multiple of its cycle.
pub fn bounds_months(terms: &Terms) -> (u32, u32) {
    let (cycle, least) = (cycle_months(terms), least_months(terms));
    (least, MONTHS_MAX.max(least) / cycle * cycle)
}

/// How many of the package's cycles the months are; refused where they are none, too few, too many or no whole number of
/// cycles.
pub fn cycles(terms: &Terms, months: u32) -> Result<u32, Refusal> {
    let (cycle, (least, most)) = (cycle_months(terms), bounds_months(terms));
    if (least..=most).contains(&months) && months.is_multiple_of(cycle) {
        return Ok(months / cycle);
    }
    let rule = match cycle {
        1 => format!("{least} to {most} months"),
        _ => format!("{least} to {most} months, a multiple of {cycle}"),
    };
    Err(Refusal::BadField { field: "month".into(), rule })
}

/// What a renewal for so many cycles sells. A month package has its allowance afresh each month; of the others, what
/// refills goes on refilling, and one allowance for the whole validity is multiplied with it.
pub fn terms(of: &Terms, cycles: u32) -> Terms {
    let monthly = of.category == Category::Month && cycle_months(of) == 1;
    let validity = match of.validity {
        _ if monthly => Span::Months(cycles),
        Span::Months(n) => Span::Months(n.saturating_mul(cycles)),
        Span::Days(n) => Span::Days(n.saturating_mul(cycles)),
    };
    let window = if monthly { Window::CalendarMonth } else { of.window };
    let allowance = match window {
        Window::Whole if of.kind != Kind::Time => of.allowance.saturating_mul(i64::from(cycles)),
        _ => of.allowance,
    };
    Terms { validity, window, allowance, ..of.clone() }
}

/// A price and its shares for so many cycles; none where the sum is beyond any amount.
pub fn price(minor: i64, shares: &[Share], cycles: u32) -> Option<(i64, Vec<Share>)> {
    let times = |minor: i64| minor.checked_mul(i64::from(cycles));
    let shares = shares.iter().map(|s| Some(Share { account: s.account, minor: times(s.minor)? })).collect::<Option<_>>()?;
    Some((times(minor)?, shares))
}

/// Whether it takes the card's one main place, and so waits until that is free.
pub fn is_main(terms: &Terms) -> bool {
    !is_beside(terms) && !terms.category.is_side()
}

/// Whether the card's queue lets it start beside whatever there is: voice, messages and safety packages. A renewal of one is
/// put behind the last of its like by a date of its own.
pub fn is_beside(terms: &Terms) -> bool {
    !matches!(terms.resource, Resource::Data | Resource::Nb) || terms.category == Category::Safety
}

/// Whether a renewal of such a package comes after one that the card has: what counts the same, at the same place.
pub fn follows(of: &Terms, there: &Terms) -> bool {
    let place = |t: &Terms| (t.resource, t.category.is_side(), t.category == Category::Safety);
    place(of) == place(there)
}

/// The instant before which the renewal does not start; none: as soon as the card's packages let it. `day` is the date
/// asked for (days since 1970-01-01 in the zone), `dated` the dates of what waits already, or the ends of what it runs beside:
/// without a date of its own a renewal comes after the last of them.
pub fn start(day: Option<i64>, dated: &[Timestamp], now: Timestamp, zone: &Zone) -> Result<Option<Timestamp>, Refusal> {
    let today = zone.day(now);
    let Some(day) = day else { return Ok(dated.iter().copied().max().filter(|at| *at > now)) };
    if !(today..=today + DAYS_AHEAD_MAX).contains(&day) {
        let rule = format!("today or later, at most {DAYS_AHEAD_MAX} days ahead, such as 2026-01-31");
        return Err(Refusal::BadField { field: "startdate".into(), rule });
    }
    Ok((day > today).then(|| zone.start_of_day(day)))
}

/// Refuses a date (as that of [`start`]) on which another package still has the card's main place, which is `free` later: "the day on
/// which the new package takes effect" is no other day.
pub fn refuse_taken(day: i64, free: Timestamp, zone: &Zone) -> Result<(), Refusal> {
    let free = zone.day(free);
    if free <= day { Ok(()) } else { Err(Refusal::DateTaken { free }) }
}

/// The number of a renewal's order: `CR`, the time in the zone as yyMMddHHmmss, and four digits.
pub fn number(at: Timestamp, digits: u32, zone: &Zone) -> String {
    format!("CR{}{:04}", &zone.digits(at)[2..], digits % 10_000)
}
