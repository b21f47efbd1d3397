//! Work over many cards: where a task and each of its cards stand.

use crate::carrier::Answer;
use crate::package::words;

words!(/// Where a task stands.
TaskState {
    /// Nobody has begun.
    Waiting = "waiting",
    /// Cards are being worked on.
    Running = "running",
    /// Every card has its last word, and at least one was done.
    Done = "done",
    /// Stopped by a person; what was sent to the carrier before still ends.
    Stopped = "stopped",
    /// Every card has its last word, and none was done.
    Failed = "failed",
});

words!(/// Where one card of a task stands.
ItemState {
    /// Nothing was asked for it yet.
    Waiting = "waiting",
    /// The carrier is being asked.
    Sent = "sent",
    /// Done.
    Done = "done",
    /// Refused for good.
    Failed = "failed",
    /// The task was stopped before its turn.
    Stopped = "stopped",
});

impl TaskState {
    /// The partner API's number: 0 waiting, 1 running, 2 done, -1 stopped, -2 failed.
    pub fn wire(self) -> i64 {
        match self {
            TaskState::Waiting => 0,
            TaskState::Running => 1,
            TaskState::Done => 2,
            TaskState::Stopped => -1,
            TaskState::Failed => -2,
        }
    }

    /// What a task comes to once the carrier's last word on each of these cards is known; none while one is open.
    pub fn end(items: &[ItemState]) -> Option<TaskState> {
        if items.iter().any(|i| !i.is_settled()) {
            None
        } else if items.contains(&ItemState::Done) {
            Some(TaskState::Done)
        } else {
            Some(TaskState::Failed)
        }
    }
}

impl ItemState {
    /// Whether nothing more will happen to it.
    pub fn is_settled(self) -> bool {
        matches!(self, ItemState::Done | ItemState::Failed | ItemState::Stopped)
    }

    /// Where a card stands after the carrier's word, and the words for it. Only a last word settles it.
    pub fn told(answer: &Answer) -> (ItemState, String) {
        match answer {
            Answer::Confirmed => (ItemState::Done, "done".into()),
            Answer::Already => (ItemState::Done, "was so already".into()),
            Answer::Refused { code, reason } => (ItemState::Failed, format!("{code} {reason}")),
            Answer::Accepted { .. } => (ItemState::Sent, "accepted, not known to be done".into()),
            Answer::Later { reason, .. } => (ItemState::Sent, format!("later: {reason}")),
            Answer::InDoubt { reason } => (ItemState::Sent, format!("in doubt: {reason}")),
            Answer::Unknown => (ItemState::Sent, "in doubt: the carrier does not know of it".into()),
            Answer::NoLogin { reason } => (ItemState::Sent, format!("later: the platform's login: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_ends_when_every_card_has_its_last_word() {
        for (items, end) in [
            ("waiting", None),
            ("sent", None),
            ("done sent failed", None),
            ("done waiting", None),
            ("done", Some(TaskState::Done)),
            ("done failed", Some(TaskState::Done)),
            ("failed failed", Some(TaskState::Failed)),
            ("failed", Some(TaskState::Failed)),
        ] {
            let states: Vec<ItemState> = items.split(' ').map(|word| ItemState::parse(word).unwrap()).collect();
            assert_eq!(TaskState::end(&states), end, "{items}");
        }
    }

    #[test]
    fn only_a_last_word_settles_a_card() {
        let reason = || "why".to_owned();
        for (answer, state) in [
            (Answer::Confirmed, "done"),
            (Answer::Already, "done"),
            (Answer::Refused { code: "1".into(), reason: reason() }, "failed"),
            (Answer::ACCEPTED, "sent"),
            (Answer::Later { seconds: 1, reason: reason() }, "sent"),
            (Answer::InDoubt { reason: reason() }, "sent"),
            (Answer::Unknown, "sent"),
            (Answer::NoLogin { reason: reason() }, "sent"),
        ] {
            assert_eq!(ItemState::told(&answer).0.word(), state, "{answer:?}");
        }
    }

    #[test]
    fn the_numbers_are_as_published() {
        let numbers: Vec<i64> = TaskState::ALL.iter().map(|s| s.wire()).collect();
        assert_eq!(numbers, [0, 1, 2, -1, -2]);
    }
}
