//! Acts on a card's line: done once, whatever goes wrong, and found out when they are not.

use super::*;
use kachi_domain::carrier::Fact;

/// Whether the world shows the act done to a card that was connected and had used 7 bytes.
fn shows(case: &Case, request: &Request, now: Timestamp) -> bool {
    let card = case.world.card(&request.card.iccid, now);
    match &request.write {
        Write::ResetSession => card.sessions == 2 && card.session > Some(START),
        Write::SwitchNetwork { network } => card.network.as_ref() == Some(network),
        Write::RefreshUsage => card.counter.is_some_and(|c| c.bytes == 7),
        Write::SendSms { text } => card.messages == [text.as_str()],
        Write::SendPhone { to, text } => card.messages == [format!("{to} {text}")],
        _ => false,
    }
}

/// The act, for a card whose device is connected and has used 7 bytes.
fn connected(case: &Case, write: &Write) -> Request {
    let request = request("1", write.clone());
    case.world.connect(&request.card.iccid, START);
    case.world.spend(&request.card.iccid, 7, START);
    request
}

#[test]
fn an_act_on_the_line_is_done_once_whatever_goes_wrong() {
    let passing = [
        None,
        Some(Fault::Lost),
        Some(Fault::AppliedTimedOut),
        Some(Fault::Garbage),
        Some(Fault::TokenKilled),
        Some(Fault::Overloaded { seconds: 30 }),
        Some(Fault::Cooling { seconds: 180 }),
        Some(Fault::NeverApplied { forget_seconds: Some(90) }),
    ];
    for write in line_acts() {
        for fault in &passing {
            for case in remote(&write) {
                let request = connected(&case, &write);
                fault.iter().for_each(|fault| case.world.fail(fault.clone()));
                let (end, now) = settle(&case, &request, START.plus(1));
                assert!(matches!(end, Answer::Confirmed | Answer::Already), "{write:?} {fault:?}: {end:?}");
                assert_eq!(case.submit(&request, now), Answer::Already, "{write:?} {fault:?}");
                assert_eq!(case.world.effects("1"), 1, "{write:?} {fault:?} {}", case.settings);
                assert!(shows(&case, &request, now), "{write:?} {fault:?} {}", case.settings);
            }
        }
    }
}

#[test]
fn an_act_on_the_line_that_is_refused_changes_nothing() {
    for write in line_acts() {
        for case in remote(&write) {
            let request = connected(&case, &write);
            case.world.fail(Fault::Refused { code: "12089".into(), reason: "not allowed".into() });
            assert!(matches!(settle(&case, &request, START.plus(1)).0, Answer::Refused { .. }));
            assert!(!shows(&case, &request, START.plus(1000)) && case.world.effects("1") == 0, "{write:?}");
        }
    }
}

#[test]
fn a_card_that_is_not_connected_has_no_session_to_cut() {
    for case in remote(&Write::ResetSession) {
        assert_eq!(case.submit(&request("1", Write::ResetSession), START), Answer::Already);
    }
}

#[test]
fn a_carrier_that_only_says_so_is_found_out_by_reading() {
    let switch = Write::SwitchNetwork { network: "ATT".into() };
    for case in remote(&switch) {
        case.world.fail(Fault::Hollow);
        let request = request("1", switch.clone());
        assert_eq!(settle(&case, &request, START).0, Answer::Confirmed);
        assert_eq!(case.world.effects("1"), 0);
        assert_eq!(case.read(&request.card.iccid, Facts::of(&[Fact::Network]), START.plus(1000)), Ok(Line::default()));
    }
}
