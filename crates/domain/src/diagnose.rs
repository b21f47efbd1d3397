//! Why a card has no network: everything that is known of it in, causes in their order out.
//!
//! Nothing is guessed. Each piece of knowledge has a source and the instant at which it was so, or the reason why it is not
//! known; a cause names the pieces that were looked at for it and those that could not be. It is from a closed list whose
//! rows say who can take it away and by which act ([`Cause::row`]).
//!
//! The order: what is certain before what is likely, and that before what is possible; among equals the one whose remedy is
//! nearest to the card's owner ([`Who`]); then as the list has them, the gravest first. A cause that rests on a carrier's
//! word is certain for [`FRESH_SECONDS`] after that was read, and likely from then on: much can be lifted in a day.
//!
//! Files: `cause` is the list, `card` what is known of a card, `judge` holds the one against the other, `look` shows a piece,
//! `words` tells it all in two languages.

mod card;
mod cause;
mod judge;
mod look;
mod words;

pub use card::{Apart, Balance, Card, Group, Ordered, Package, Piece, Pool, Source, Topic, Why, WriteSeen};
pub use cause::{Act, Cause, Certainty, Row, Who};
pub use judge::{FRESH_SECONDS, Found, ONLINE_SECONDS, Report, diagnose};
pub use look::{Evidence, Gap, Look};
pub use words::{Lang, Reader, age, listed};
