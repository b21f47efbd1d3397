//! The one way to a card platform: every question and every write passes here, from whatever process.
//!
//! Promised: the platform is made no more requests than its settings say, by all processes on one database together, and what
//! keeps our knowledge up to date never uses the share that is kept for acts; a platform's login is renewed by one at a time,
//! and a login that failed is renewed only if it is still the stored one; the network is called with no transaction open. What
//! cannot be asked now is told with the seconds to wait, and nothing was asked then. Crash anywhere: requests that were taken
//! and not made are back as time passes, and the right to renew the login ends with its lease. Not promised: a platform's
//! limits where others use the same account, or that a renewal slower than its lease is the only one.
//!
//! That a platform does not answer, or does not let us in, is in the log once when it begins and once when it is over: whoever
//! asked goes on as its work wants it.

use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::failing::{Ended, STEADY_SECONDS, Turn};
use kachi_domain::carrier::{
    Answer, Bucket, Call, Card, Connector, Facts, LOGIN_REFUSED_SECONDS, Line, Login, Pace, RENEWALS_MAX,
};
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{PlatformId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::upstream::Upstream;

pub(crate) use kachi_domain::carrier::Purpose;

/// What a call told, or why it did not.
pub(crate) type Told<T> = std::result::Result<T, Answer>;

/// What logging in is called among the requests made.
pub(crate) const LOGIN: &str = "login";
/// Seconds after which one that waits for another's login looks again.
const LOGIN_SECONDS: i64 = 1;
/// Seconds until a login that got no answer is tried again.
const UNANSWERED_SECONDS: i64 = 5;

/// A platform with its open connector.
pub(crate) type At<'c> = (PlatformId, &'c dyn Connector);

/// What became of a question.
pub(crate) enum Asked<M, T> {
    /// It was asked, with what was noted before.
    Told(M, Told<T>),
    /// It was not: the platform is to be left alone for so many seconds.
    Held {
        /// Seconds to wait, 1 or more.
        seconds: i64,
        /// Why.
        reason: String,
    },
}

/// Asks a platform something that makes one request as a rule. What cannot be asked now is `Later`.
pub(crate) fn ask<T>(
    engine: &Engine,
    at: (PlatformId, &dyn Connector),
    purpose: Purpose,
    question: &dyn Fn(&Call<'_>) -> Told<T>,
) -> Result<Told<T>> {
    ask_costing(engine, at, (purpose, 1), question)
}

/// As [`ask`], for a question that makes so many requests.
pub(crate) fn ask_costing<T>(
    engine: &Engine,
    at: At<'_>,
    (purpose, requests): (Purpose, u32),
    question: &dyn Fn(&Call<'_>) -> Told<T>,
) -> Result<Told<T>> {
    let asked = ask_noted(engine, at, (purpose, requests), |_, _| Ok(()), &|call, ()| question(call))?;
    Ok(match asked {
        Asked::Told((), told) => told,
        Asked::Held { seconds, reason } => Err(Answer::Later { seconds, reason }),
    })
}

/// A card as its platform tells it, as much as it can of what is wanted.
pub(crate) fn read(
    engine: &Engine,
    (platform, connector): At<'_>,
    purpose: Purpose,
    (card, wanted): (&Card, Facts),
) -> Result<Told<Line>> {
    let wanted = wanted.and(connector.capabilities().facts);
    ask_costing(engine, (platform, connector), (purpose, connector.cost(wanted)), &|call| connector.read(call, card, wanted))
}

/// As [`ask_costing`]; in the transaction that takes the requests, just before the platform is asked, something is noted.
pub(crate) fn ask_noted<M: Send + 'static, T>(
    engine: &Engine,
    (platform, connector): At<'_>,
    (purpose, requests): (Purpose, u32),
    note: impl FnOnce(&mut Tx<'_>, Timestamp) -> Result<M> + Send + 'static,
    question: &dyn Fn(&Call<'_>, &M) -> Told<T>,
) -> Result<Asked<M, T>> {
    let pace = connector.capabilities().pace;
    let opened = engine.write(move |tx, _, how| {
        let there = tx.open_upstream(platform, 1 + RENEWALS_MAX)?;
        let (mut bucket, now) = (bucket(&there, pace, how.now), how.now);
        let grant = match bucket.take(pace, purpose, requests, now) {
            Ok(grant) => grant,
            Err(seconds) => return Ok(Err(used_up(seconds))),
        };
        if grant.taken > 0 {
            tx.put_bucket(platform, &bucket)?;
        }
        Ok(Ok((note(tx, now)?, grant, there)))
    })?;
    let (noted, grant, there) = match opened {
        Ok(open) => open,
        Err((seconds, reason)) => return Ok(Asked::Held { seconds, reason }),
    };
    let (opened_at, lease) = (engine.now(), engine.settings().lease_seconds);
    let (mut login, mut number, mut made) = (login(&there), there.first_call, 0);
    let mut once = |login: &Login, made: &mut u32| {
        let call = Call::new(login, engine.now(), number).limited(grant.most.saturating_sub(*made));
        let told = question(&call, &noted);
        hear(engine, platform, &call, told.as_ref().err().and_then(shut_out));
        number += 1;
        *made += call.requests();
        told
    };
    let mut told = once(&login, &mut made);
    let mut held = None;
    for _ in 0..RENEWALS_MAX {
        if !matches!(told, Err(Answer::NoLogin { .. })) {
            break;
        }
        match renew(engine, (platform, connector), &login.token)? {
            Ok(renewed) => login = renewed,
            Err(why) => held = Some(why),
        }
        if engine.now().since(opened_at) >= lease {
            // Logging in took so long that what was noted may be another worker's by now.
            held = Some((LOGIN_SECONDS, "logging in took too long".into()));
        }
        if held.is_some() {
            break;
        }
        told = once(&login, &mut made);
    }
    if Bucket::counts(pace) && made != grant.taken {
        engine.write(move |tx, _, how| settle(tx, (platform, pace), (grant.taken, made), how.now))?;
    }
    Ok(match held {
        Some((seconds, reason)) => Asked::Held { seconds, reason },
        None => Asked::Told(noted, told),
    })
}

/// Why the platform does not let us in, where it says so: it tells nothing of what was asked.
fn shut_out(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason } => Some(reason.clone()),
        _ => None,
    }
}

/// A carrier's word on a write, as an error where it says nothing of the write but that our login does not count.
pub(crate) fn of_write(answer: Answer) -> Told<Answer> {
    if shut_out(&answer).is_some() { Err(answer) } else { answer.or_no_login() }
}

/// Tells the log once that a platform has begun to fail, once that it is back, and that it comes and goes.
fn hear(engine: &Engine, platform: PlatformId, call: &Call<'_>, shut_out: Option<String>) {
    let (ended, reason) = match (shut_out, call.unanswered()) {
        (Some(words), _) => (Ended::ForAPerson, words),
        (None, Some(words)) => (Ended::Badly, words),
        (None, None) if call.requests() == 0 => return,
        (None, None) => (Ended::Well, String::new()),
    };
    let Some(turn) = engine.failing().note(&platform, ended, engine.now()) else { return };
    let catalogue = engine.catalogue_last();
    let code = catalogue.platform_code(platform);
    match turn {
        Turn::Fails => {
            tracing::warn!(platform = %code, %reason, "the card platform fails; what it is asked for waits and is tried again")
        }
        Turn::Back(seconds) => tracing::info!(platform = %code, failed_seconds = seconds, "the card platform answers again"),
        Turn::ComesAndGoes(times) => tracing::warn!(
            platform = %code, times, %reason,
            "the card platform fails again: it comes and goes; how it stands is told when it has stood so for {STEADY_SECONDS} s"
        ),
    }
}

/// The seconds to wait, 1 or more, and why.
type Held = (i64, String);

fn used_up(seconds: i64) -> Held {
    (seconds, "the requests that the platform may be made are used up for now".into())
}

fn bucket(there: &Upstream, pace: Pace, now: Timestamp) -> Bucket {
    there.bucket.unwrap_or_else(|| Bucket::full(pace, now))
}

fn login(there: &Upstream) -> Login {
    serde_json::from_str(&there.login).unwrap_or_default()
}

/// Puts right what was taken by what was made.
fn settle(tx: &mut Tx<'_>, (platform, pace): (PlatformId, Pace), (taken, made): (u32, u32), now: Timestamp) -> Result<()> {
    let mut bucket = bucket(&tx.open_upstream(platform, 0)?, pace, now);
    bucket.settle(pace, taken, made, now);
    Ok(tx.put_bucket(platform, &bucket)?)
}

/// Who renews the login.
enum Begun {
    /// Nobody: another one is stored already.
    There(Login),
    /// This worker, under its token, with the login as it was.
    Mine(i64, Login),
    /// Nobody now.
    Held(Held),
}

/// A login in place of the one whose token failed: the stored one if that is another by now, else a new one, which one
/// worker of all processes asks for at a time.
fn renew(engine: &Engine, (platform, connector): At<'_>, failed: &str) -> Result<std::result::Result<Login, Held>> {
    let (pace, lease, failed) = (connector.capabilities().pace, engine.settings().lease_seconds, failed.to_owned());
    let (token, before) = match engine.write(move |tx, _, how| begin(tx, (platform, pace), lease, &failed, how.now))? {
        Begun::There(login) => return Ok(Ok(login)),
        Begun::Held(why) => return Ok(Err(why)),
        Begun::Mine(token, before) => (token, before),
    };
    let call = Call::new(&before, engine.now(), token.unsigned_abs());
    let (told, made) = (connector.renew(&call), call.requests());
    let refused = told.as_ref().err().and_then(|no| match no {
        Answer::Refused { code, reason } => Some(format!("{code} {reason}")),
        other => shut_out(other),
    });
    hear(engine, platform, &call, refused);
    engine.write(move |tx, _, how| {
        if Bucket::counts(pace) && made != 1 {
            settle(tx, (platform, pace), (1, made), how.now)?;
        }
        // They are of the same budget as all that keeps us up to date, whoever needed the login.
        tx.add_sync_calls(platform, china().day(how.now), LOGIN, i64::from(made))?;
        end(tx, (platform, token), told, how.now)
    })
}

fn begin(tx: &mut Tx<'_>, (platform, pace): (PlatformId, Pace), lease: i64, failed: &str, now: Timestamp) -> Result<Begun> {
    let there = tx.open_upstream(platform, 1)?;
    let stored = login(&there);
    if stored.token != failed && stored.is_live(now) {
        return Ok(Begun::There(stored));
    }
    // What a clock noted that was wrong holds nobody up.
    let in_force = |until: &Timestamp| (1..=lease.max(LOGIN_REFUSED_SECONDS)).contains(&until.since(now));
    if let Some(held) = there.held.as_ref().filter(|held| in_force(&held.until)) {
        let seconds = if held.renews { LOGIN_SECONDS } else { held.until.since(now) };
        return Ok(Begun::Held((seconds, held.words.clone())));
    }
    let mut bucket = bucket(&there, pace, now);
    let grant = match bucket.take(pace, Purpose::Act, 1, now) {
        Ok(grant) => grant,
        Err(seconds) => return Ok(Begun::Held(used_up(seconds))),
    };
    if grant.taken > 0 {
        tx.put_bucket(platform, &bucket)?;
    }
    // Of all calls to the platform none has this number, so no other renewal has it.
    let token = i64::try_from(there.first_call).map_err(|e| fault(e.to_string()))?;
    tx.begin_renewal(platform, token, now.plus(lease), "another worker is logging in")?;
    Ok(Begun::Mine(token, stored))
}

/// The zone in which carriers count days.
fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
}

/// Keeps the new login, unless the lease was lost: then whoever has it decides.
fn end(
    tx: &mut Tx<'_>,
    (platform, token): (PlatformId, i64),
    told: Told<Login>,
    now: Timestamp,
) -> Result<std::result::Result<Login, Held>> {
    let login = match told {
        Ok(login) => login,
        Err(answer) => {
            let (seconds, words) = not_renewed(answer);
            tx.end_renewal(platform, token, Some((now.plus(seconds), &words)))?;
            return Ok(Err((seconds, words)));
        }
    };
    if !tx.end_renewal(platform, token, None)? {
        return Ok(Err((LOGIN_SECONDS, "another worker has logged in meanwhile".into())));
    }
    let text = serde_json::to_string(&login).map_err(|e| fault(e.to_string()))?;
    tx.put_platform_login(platform, &text)?;
    Ok(Ok(login))
}

/// How long a login that was not renewed is left alone, and why. It says nothing of what was asked.
fn not_renewed(answer: Answer) -> Held {
    match answer {
        Answer::Later { seconds, reason } => (seconds.clamp(1, LOGIN_REFUSED_SECONDS), reason),
        Answer::Refused { code, reason } => (LOGIN_REFUSED_SECONDS, format!("the platform refuses our login: {code} {reason}")),
        Answer::InDoubt { reason } | Answer::NoLogin { reason } => (UNANSWERED_SECONDS, format!("logging in: {reason}")),
        other => (UNANSWERED_SECONDS, format!("logging in: {other:?}")),
    }
}
