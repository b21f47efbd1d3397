//! Messages to cards: how long one may be and what became of it.

use crate::carrier::Answer;
use crate::package::words;
use crate::refusal::Refusal;

/// Characters of one message, at most (EIOTCLUB v3, sms/sendSms).
pub const CHARS_MAX: usize = 300;

/// Characters of a message of a batch, at most (CardBOSS v2.2.2, code 1002).
pub const BATCH_CHARS_MAX: usize = 350;
/// Numbers of a batch, at most (CardBOSS v2.2.2, 3.5.1).
pub const BATCH_NUMBERS_MAX: usize = 1_000;
/// Reports or replies handed out at once, at most (CardBOSS v2.2.2, 3.5.3).
pub const HANDED_MAX: i64 = 10_000;
/// Whose name a message to a person's telephone bears, where its sender has none that is registered.
pub const SIGNATURE: &str = "【物联网卡运营平台】";
/// The state of a message that arrived, as reports tell it.
pub const DELIVERED: &str = "DELIVRD";
/// The state of a message that nobody will send, as reports tell it.
pub const REJECTED: &str = "REJECTD";
/// Characters of a message that is sent as one, and of each part of a longer one.
const PART_CHARS: (i64, i64) = (70, 67);

/// How many messages a text counts as: 70 characters are one, beyond that 67 each.
pub fn parts(text: &str) -> i64 {
    parts_of(text.chars().count() as i64)
}

/// The same of a text of so many characters.
pub fn parts_of(chars: i64) -> i64 {
    if chars <= PART_CHARS.0 { 1 } else { (chars + PART_CHARS.1 - 1) / PART_CHARS.1 }
}

/// Refuses a text without a word, or one that is too long.
pub fn refuse_length(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::BadField { field: "content".into(), rule: "at least one character".into() });
    }
    let max = BATCH_CHARS_MAX as i64;
    if text.chars().count() > BATCH_CHARS_MAX { Err(Refusal::SmsTooLong { max }) } else { Ok(()) }
}

/// The number `N` and what follows, where the text begins with `@N@`.
fn variable(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.strip_prefix('@')?.split_once('@')?;
    let plain = !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().map(|n| (n, rest))
}

/// A text of values, taken apart where the next variable begins; a blank before that is not of the value.
fn pieces(text: &str) -> Vec<&str> {
    let begins = |at: usize| variable(&text[at..]).is_some_and(|(_, rest)| rest.starts_with('='));
    let mut starts: Vec<usize> = text.match_indices('@').map(|(at, _)| at).filter(|at| *at > 0 && begins(*at)).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).map(|end| text[..*end].strip_suffix(' ').map_or(*end, str::len)).chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}

/// The template's text with its variables `@1@`, `@2@` and so on replaced by the values of `content`, which is written
/// `@1@=a|@2@=b`, or, as CardBOSS v2.2.2 prints it (3.5.5), `@1@=a @2@=b`. Each variable needs its value and each value its
/// variable; what stands in a value is never a variable.
pub fn fill(template: &str, content: &str) -> Result<String, Refusal> {
    let bad = |rule: String| Refusal::BadField { field: "content".into(), rule };
    let mut values: Vec<(u32, &str)> = Vec::new();
    for piece in content.split('|').filter(|p| p.starts_with('@')).flat_map(pieces) {
        let value = variable(piece).and_then(|(n, rest)| Some((n, rest.strip_prefix('=')?)));
        let (n, value) = value.ok_or_else(|| bad(format!("\"{piece}\" is no value such as @1@=text")))?;
        if values.iter().any(|(other, _)| *other == n) {
            return Err(bad(format!("@{n}@ has two values")));
        }
        values.push((n, value));
    }
    let (mut filled, mut rest, mut used) = (String::new(), template, Vec::new());
    while let Some(c) = rest.chars().next() {
        match variable(rest) {
            Some((n, after)) => {
                let (_, value) = values.iter().find(|(v, _)| *v == n).ok_or_else(|| bad(format!("@{n}@ has no value")))?;
                filled.push_str(value);
                used.push(n);
                rest = after;
            }
            None => {
                filled.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    match values.iter().find(|(n, _)| !used.contains(n)) {
        Some((n, _)) => Err(bad(format!("the template has no @{n}@"))),
        None => Ok(filled),
    }
}

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
    /// Whether nothing more will be heard of it.
    pub fn is_settled(self) -> bool {
        matches!(self, SmsState::Delivered | SmsState::Failed)
    }

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
    fn seventy_characters_are_one_and_beyond_that_sixty_seven_each() {
        for (chars, count) in [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4), (350, 6)] {
            assert_eq!(parts(&"短".repeat(chars)), count, "{chars}");
            assert_eq!(parts(&"x".repeat(chars)), count, "{chars}");
        }
        assert!(refuse_length(&"短".repeat(350)).is_ok() && refuse_length(" ").is_err());
        assert_eq!(refuse_length(&"短".repeat(351)), Err(Refusal::SmsTooLong { max: 350 }));
    }

    #[test]
    fn templates_are_filled_and_nothing_is_left_over() {
        for (template, content, outcome) in [
            ("@1@您好, 余@2@", "@1@=甲|@2@=3MB", "甲您好, 余3MB"),
            ("@1@@1@", "@1@=x", "xx"),
            ("@1@ and @2@", "@1@=@2@|@2@=b", "@2@ and b"),
            ("no variable", "whatever", "no variable"),
            ("mail a@b and @x@", "", "mail a@b and @x@"),
            ("@1@", "@1@=", ""),
            ("@1@", "@1@=a=b", "a=b"),
            // As the source prints it, whose `|` was lost: a value ends where the next variable begins.
            ("@1@: @2@", "@1@=xx 客户 @2@=用量即将到期", "xx 客户: 用量即将到期"),
            ("@1@@2@@3@", "@1@=a@2@=b|@3@=c@4", "abc@4"),
            ("@1@,@2@", "@1@=a  @2@= b ", "a , b "),
            ("@1@ @2@", "@1@=a", "content: @2@ has no value"),
            ("@1@", "@1@=a|@2@=b", "content: the template has no @2@"),
            ("@1@", "@1@=a|@1@=b", "content: @1@ has two values"),
            ("@1@", "@1@a", "content: \"@1@a\" is no value such as @1@=text"),
            ("@1@", "a", "content: @1@ has no value"),
        ] {
            let filled = fill(template, content).unwrap_or_else(|r| r.to_string());
            assert_eq!(filled, outcome, "{template} {content}");
        }
    }

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
