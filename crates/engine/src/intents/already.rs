//! "Already" to a purchase: done only if it is this very purchase that the carrier has.
//!
//! A carrier that lets a card have a package once says "already" to a second order of it, under whatever reference. That is no
//! fulfilment: the card has what another order bought, and ends with it. So the order is refused, its money goes back, and it
//! may be placed again when the other is over. Only where this reference was sent before (its answer was lost) can "already"
//! speak of it; then the carrier is asked for the reference itself.

use crate::desk::Engine;
use crate::error::Result;
use crate::upstream::{self, At, Purpose};
use kachi_domain::carrier::{Answer, Request, Sent, Write};

/// The carrier's answer to a write that was sent before like this, if it was.
pub(super) fn of_another(
    engine: &Engine,
    at: At<'_>,
    request: &Request,
    before: Option<&Sent>,
    answer: Answer,
) -> Result<Answer> {
    if answer != Answer::Already || !matches!(request.write, Write::Subscribe { .. }) {
        return Ok(answer);
    }
    let Some(sent) = before else { return Ok(another()) };
    let connector = at.1;
    let look = upstream::ask(engine, at, Purpose::Act, &|call| upstream::of_write(connector.look(call, request, sent)))?;
    Ok(match look.unwrap_or_else(|not_asked| not_asked) {
        Answer::Unknown => another(),
        // It may be there: asked again until the carrier tells.
        Answer::Later { reason, .. } | Answer::NoLogin { reason } => Answer::InDoubt { reason },
        told => told,
    })
}

fn another() -> Answer {
    let reason = "the card has this package at the carrier through another order; order it again when that one is over".into();
    Answer::Refused { code: "already".into(), reason }
}
