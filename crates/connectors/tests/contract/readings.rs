//! What can be read: of one card, of many, of those that changed.

use super::*;
use kachi_domain::carrier::{Ask, Cycle, Fact, Month};
use kachi_domain::sim::{BaseState, Blocks};

#[test]
fn what_was_done_can_be_read() {
    const WANTED: Facts = Facts::of(&[Fact::Network, Fact::Session, Fact::Counter]);
    for case in cases().into_iter().filter(|case| !case.connector.capabilities().by_hand) {
        let can = case.connector.capabilities();
        let card = request("0", Write::Stop).card;
        let read = |now| case.read(&card.iccid, WANTED, now).expect("it is told");
        let idle = Line { sessions: Some(Vec::new()), ..Line::default() };
        assert_eq!(read(START), idle, "nothing is known of a card that never did anything");
        case.world.connect(&card.iccid, START);
        case.world.spend(&card.iccid, 7, START);
        let line = read(START);
        assert_eq!(line.sessions.as_deref().map(|s| s[0].since), Some(Some(START)));
        assert_eq!((line.counter, line.network), (None, None), "the counter is not brought up to date yet");
        let mut now = START.plus(1);
        for (n, write) in line_acts().into_iter().enumerate() {
            let act = Request { reference: n.to_string(), card: card.clone(), write };
            now = settle(&case, &act, now).1;
        }
        let line = read(now);
        assert_eq!(line.network.as_deref(), can.network.then_some("ATT"), "{}", case.settings);
        assert_eq!(line.counter.map(|c| c.bytes), can.usage.then_some(7), "{}", case.settings);
        assert!(line.counter.is_none_or(|c| START < c.as_of && c.as_of <= now), "{line:?}");
        case.world.spend(&card.iccid, 1, now);
        assert_eq!(read(now.plus(86_400)), line, "reading changes nothing");
    }
}

#[test]
fn a_card_goes_from_test_to_life_and_its_data_off_and_on() {
    for case in cases().into_iter().filter(|case| !case.connector.capabilities().by_hand) {
        let (card, mut now) = (Card::of_iccid("89861"), START.plus(1));
        case.world.stand(&card.iccid, BaseState::Testing, START);
        case.world.connect(&card.iccid, START);
        let mut seen = Vec::new();
        for (n, write) in card_acts().into_iter().filter(|write| able(&case, write)).enumerate() {
            let act = Request { reference: n.to_string(), card: card.clone(), write };
            let (end, at) = settle(&case, &act, now);
            assert_eq!(end, Answer::Confirmed, "{act:?} {}", case.settings);
            assert_eq!(case.submit(&act, at), Answer::Already);
            let line = case.read(&card.iccid, Facts::of(&[Fact::State, Fact::Apns, Fact::Session]), at).expect("it is told");
            let apn = &line.apns.expect("it is told")[0];
            seen.push((line.standing.expect("it is told").base, apn.on == Some(true)));
            now = at;
        }
        let (ready, active) = (BaseState::Ready, BaseState::Active);
        // Messages, speeds and lists of numbers change neither.
        let expected = [vec![(ready, true), (active, true), (active, false)], vec![(active, true); 7]].concat();
        assert_eq!(seen, if able(&case, &Write::Activate) { expected } else { Vec::new() }, "{}", case.settings);
    }
}

#[test]
fn many_cards_are_read_at_once_each_with_its_own_answer() {
    let cards: Vec<Card> = (0..100).map(|n| Card::of_iccid(&format!("8986{n:03}"))).collect();
    let (today, month) = (20_454, Month::parse("202601").unwrap()); // 2026-01-01, the day of START in China
    for case in cases().into_iter().filter(|case| !case.connector.capabilities().by_hand) {
        let batches = case.connector.capabilities().batches;
        let ask = |cards: &[Card], ask| case.client().call(START.plus(9), &|call| case.connector.read_many(call, cards, ask));
        case.world.spend(&cards[7].iccid, 5, START.plus(-86_400));
        case.world.spend(&cards[7].iccid, 2, START);
        case.world.stand(&cards[8].iccid, BaseState::Ready, START);
        for (asked, most) in [(Ask::State, batches.state), (Ask::Day(today), batches.day), (Ask::Month(month), batches.month)] {
            if most == 0 {
                assert!(matches!(ask(&cards, asked), Err(Answer::Refused { .. })), "{}", case.settings);
                continue;
            }
            let lines: Vec<Line> = ask(&cards, asked).expect("it is told").into_iter().map(|line| line.expect("each")).collect();
            assert_eq!(lines.len(), cards.len());
            let bytes = |n: usize| lines[n].day.or(lines[n].month).map(|p| (p.from, p.counter.bytes));
            match asked {
                Ask::State => assert_eq!(lines[8].standing.as_ref().map(|s| s.base), Some(BaseState::Ready)),
                Ask::Day(_) => assert_eq!(bytes(7), Some((Timestamp(1_767_196_800), 2)), "from midnight in China"),
                Ask::Month(_) => assert_eq!(bytes(7), Some((Cycle::NATURAL.start(month), 2))),
            }
            let more: Vec<Card> = cards.iter().chain(&cards[..1]).cloned().collect();
            assert!(matches!(ask(&more, asked), Err(Answer::Refused { .. })), "one more than it takes");
            case.world.fail_read(Fault::Lost);
            assert!(matches!(ask(&cards, asked), Err(Answer::InDoubt { .. })));
        }
    }
}

#[test]
fn what_changed_is_told_without_asking_every_card() {
    for case in cases().into_iter().filter(|case| !case.connector.capabilities().by_hand) {
        let ask = |day| case.client().call(START.plus(9), &|call| case.connector.changes(call, day, None));
        case.world.stand("89860001", BaseState::Ready, START.plus(-86_400));
        case.world.stand("89860002", BaseState::Testing, START);
        if !case.connector.capabilities().changes {
            assert!(matches!(ask(20_454), Err(Answer::Refused { .. })));
            continue;
        }
        let told = |day| ask(day).expect("it is told").changes.into_iter().filter_map(|c| c.iccid).collect::<Vec<_>>();
        assert_eq!((told(20_454), told(20_453).len()), (vec!["89860002".to_owned()], 2), "{}", case.settings);
    }
}

#[test]
fn a_stopped_card_says_why_and_a_device_can_write() {
    let case = Case::sandbox(json!({}));
    let stop = request("1", Write::Stop);
    settle(&case, &stop, START);
    let line = case.read(&stop.card.iccid, Facts::ALL, START.plus(1)).expect("it is told");
    let reason = line.stop.expect("it is told");
    assert_eq!((reason.blocks, line.standing.map(|s| s.base)), (Blocks::OWNER_STOP, Some(BaseState::Stopped)));
    case.world.write_from(&stop.card.iccid, "7", "hello", START);
    case.world.put_into(&stop.card.iccid, "861234567890123");
    let cards = [stop.card.clone()];
    let uplinks = case.client().call(START, &|call| case.connector.uplinks(call, &cards)).expect("it is told");
    assert_eq!(uplinks.iter().map(|u| (u.id.as_str(), u.text.as_str())).collect::<Vec<_>>(), [("7", "hello")]);
    let imei = case.read(&stop.card.iccid, Facts::of(&[Fact::Imei]), START).expect("it is told");
    assert_eq!(imei, Line { imei: Some("861234567890123".into()), ..Line::default() }, "what was not asked is not told");
}

#[test]
fn a_reading_that_fails_says_how() {
    for case in cases() {
        let read = || case.read("89860", Facts::ALL, START);
        if case.connector.capabilities().by_hand {
            assert!(matches!(read(), Err(Answer::Refused { .. })), "there is nobody to ask");
            continue;
        }
        case.world.fail_read(Fault::Overloaded { seconds: 30 });
        assert!(matches!(read(), Err(Answer::Later { seconds: 30, .. })));
        for fault in [Fault::Lost, Fault::Garbage] {
            case.world.fail_read(fault);
            assert!(matches!(read(), Err(Answer::InDoubt { .. })));
        }
        case.world.fail_read(Fault::TokenKilled);
        assert!(read().is_ok(), "one more login");
        case.world.kill_token("sandbox");
        assert!(read().is_ok());
    }
}
