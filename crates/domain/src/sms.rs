//! Messages to cards: how long one may be and what became of it.

use crate::carrier::Answer;
use crate::package::words;

/// Characters of one message, at most (EIOTCLUB v3, sms/sendSms).
pub const CHARS_MAX: usize = 300;

words!(/// Where a message stands.
SmsState {
    /// The carrier has not taken it yet.
    Queued = "queued",
    /// The carrier has it.
    Sent = "sent",
    /// The device has it.
    Delivered = "delivered",
    /// The carrier refused it for good.
    Failed = "failed",
});

impl SmsState {
    /// Where a message stands after the carrier's word; an answer that says nothing of it leaves it where it is.
    pub fn told(self, answer: &Answer) -> SmsState {
        match answer {
            Answer::Accepted { .. } => SmsState::Sent,
            Answer::Confirmed | Answer::Already => SmsState::Delivered,
            Answer::Refused { .. } => SmsState::Failed,
            Answer::Later { .. } | Answer::InDoubt { .. } | Answer::Unknown | Answer::NoLogin { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submitted_is_not_delivered() {
        let later = Answer::Later { seconds: 1, reason: String::new() };
        assert_eq!(SmsState::Queued.told(&later), SmsState::Queued);
        assert_eq!(SmsState::Queued.told(&Answer::ACCEPTED), SmsState::Sent);
        assert_eq!(SmsState::Sent.told(&Answer::InDoubt { reason: String::new() }), SmsState::Sent);
        assert_eq!(SmsState::Sent.told(&Answer::Confirmed), SmsState::Delivered);
        assert_eq!(SmsState::Sent.told(&Answer::Refused { code: String::new(), reason: String::new() }), SmsState::Failed);
    }
}
