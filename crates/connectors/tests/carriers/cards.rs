//! What makes a card another one: its data, its speed, its packages; and why it is stopped.

use super::*;
use kachi_domain::carrier::Bought;
use kachi_simulator::CutOff;

#[test]
fn a_cards_data_is_switched_off_and_on() {
    let mut able = Vec::new();
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&Write::DataOff { apn: None })) {
        assert_eq!(far.settle(&request(&card, Write::DataOff { apn: None })), Answer::Confirmed, "{}", far.name);
        assert!(!far.sim.card(&card.iccid).data_off.is_empty(), "{}", far.name);
        let apns = far.read(&card, &[Fact::Apns]).apns.expect("they are told");
        assert_eq!(apns[0].on, Some(false), "{}", far.name);
        assert_eq!(far.settle(&request(&card, Write::DataOn { apn: None, kbps: None })), Answer::Confirmed, "{}", far.name);
        assert!(far.sim.card(&card.iccid).data_off.is_empty(), "{}", far.name);
        able.push(far.name);
    }
    assert_eq!(able, CARRIERS.map(|(_, name)| name));
}

/// The speed that the card truly has, in its carrier's word.
fn speed(far: &Far, card: &Card) -> Option<String> {
    let truth = far.sim.card(&card.iccid);
    let plan = Some(truth.communication_plan).filter(|plan| plan != "COMM-1");
    if far.connector.capabilities().one_plan { plan } else { truth.speed }
}

#[test]
fn a_cards_speed_is_limited_and_the_limit_lifted() {
    let slow = Write::LimitSpeed { kbps: Some(1024) };
    let mut able = Vec::new();
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&slow)) {
        assert_eq!(far.settle(&request(&card, slow.clone())), Answer::Confirmed, "{}", far.name);
        far.sim.advance(200);
        let code = match far.platform {
            Platform::OneLink => "92",
            Platform::CtWing | Platform::Telecom => "12",
            Platform::Unicom => "NAC-1M",
            Platform::Jasper => "COMM-1M",
        };
        assert_eq!(speed(&far, &card).as_deref(), Some(code), "{}", far.name);
        let lost = far.call(&|call| Ok(far.connector.look(call, &request(&card, slow.clone()), &Sent::in_doubt(far.now()))));
        // Where a speed can be read it shows; else it may be sent again.
        let shown = if far.connector.capabilities().one_plan { Answer::Confirmed } else { Answer::Unknown };
        assert_eq!(lost, Ok(shown), "{}", far.name);
        assert_eq!(far.settle(&request(&card, Write::LimitSpeed { kbps: None })), Answer::Confirmed, "{}", far.name);
        far.sim.advance(200);
        assert_eq!(speed(&far, &card), None, "{}", far.name);
        able.push(far.name);
    }
    assert_eq!(able, CARRIERS.map(|(_, name)| name));
}

#[test]
fn where_data_and_speed_are_one_plan_a_slow_card_stays_without_data_and_a_card_with_data_is_not_sped_up() {
    let (off, on) = (Write::DataOff { apn: None }, Write::DataOn { apn: None, kbps: None });
    let slow = Write::LimitSpeed { kbps: Some(1024) };
    let mut able = 0;
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.connector.capabilities().one_plan) {
        assert!(far.settle(&request(&card, off.clone())).is_last());
        far.sim.advance(200);
        let end = far.settle(&request(&card, slow.clone()));
        assert!(matches!(&end, Answer::Refused { code, .. } if code == "data_off"), "{}: {end:?}", far.name);
        assert!(!far.sim.card(&card.iccid).data_off.is_empty(), "{}: it is off", far.name);
        assert_eq!(far.settle(&request(&card, on.clone())), Answer::Confirmed, "{}", far.name);
        far.sim.advance(200);
        assert_eq!(far.settle(&request(&card, slow.clone())), Answer::Confirmed, "{}", far.name);
        far.sim.advance(200);
        assert_eq!(far.settle(&request(&card, on.clone())), Answer::Already, "{}: it has data", far.name);
        assert!(speed(&far, &card).is_some(), "{}: and is slow", far.name);
        able += 1;
    }
    assert_eq!(able, 2, "Unicom and Jasper");
}

/// What is ordered at each carrier, and whether the card truly has it.
pub(super) fn order(far: &Far) -> (Write, fn(&kachi_simulator::Card) -> bool) {
    let (package, has): (&str, fn(&kachi_simulator::Card) -> bool) = match far.platform {
        Platform::OneLink => ("2", |card| card.offers.iter().any(|o| o.name == "500 MB")),
        Platform::Telecom | Platform::CtWing => ("100", |card| card.offers.iter().any(|o| o.name == "100MB")),
        Platform::Unicom | Platform::Jasper => ("PLAN-2", |card| card.rate_plan == "PLAN-2"),
    };
    (Write::subscribe(package), has)
}

#[test]
fn an_order_is_done_when_the_card_has_it() {
    let mut able = Vec::new();
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&order(far).0)) {
        let (write, has) = order(&far);
        let answer = far.submit(&request(&card, write.clone()));
        let Answer::Accepted { job } = answer else { panic!("{}: {answer:?}", far.name) };
        let sent = Sent { at: far.now(), accepted: Some(far.now()), job };
        let look = || far.call(&|call| Ok(far.connector.look(call, &request(&card, write.clone()), &sent))).expect("an answer");
        assert!(matches!(look(), Answer::Accepted { .. }) && !has(&far.sim.card(&card.iccid)), "{}: taken is not done", far.name);
        far.sim.advance(30);
        assert_eq!(look(), Answer::Confirmed, "{}", far.name);
        assert!(has(&far.sim.card(&card.iccid)), "{}", far.name);
        far.sim.advance(200);
        let again = far.settle(&request(&card, write));
        assert!(matches!(again, Answer::Already | Answer::Confirmed), "{}: {again:?}", far.name);
        able.push(far.name);
    }
    assert_eq!(able, ["onelink", "telecom_des", "unicom", "jasper"]);
}

#[test]
fn an_order_that_was_taken_and_never_done_is_not_said_to_be() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&order(far).0)) {
        let (write, has) = order(&far);
        far.sim.fault(Fault::new(far.platform, FaultKind::AcceptedNeverApplied).count(1)).expect("every carrier has it");
        let Answer::Accepted { job } = far.submit(&request(&card, write.clone())) else { panic!("{}", far.name) };
        let sent = Sent { at: far.now(), accepted: Some(far.now()), job };
        far.sim.advance(APPLY_SECONDS - 1);
        let told = far.call(&|call| Ok(far.connector.look(call, &request(&card, write.clone()), &sent)));
        assert!(matches!(told, Ok(Answer::Accepted { .. })), "{}: {told:?}", far.name);
        assert!(!has(&far.sim.card(&card.iccid)), "{}", far.name);
    }
}

#[test]
fn a_refused_question_about_an_order_is_no_refusal_of_the_order() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&order(far).0)) {
        let (write, has) = order(&far);
        let Answer::Accepted { job } = far.submit(&request(&card, write.clone())) else { panic!("{}", far.name) };
        let sent = Sent { at: far.now(), accepted: Some(far.now()), job };
        let look = || far.call(&|call| Ok(far.connector.look(call, &request(&card, write.clone()), &sent)));
        far.sim.advance(30);
        for kind in [FaultKind::NotGranted, FaultKind::ErrorBody] {
            far.sim.fault(Fault::new(far.platform, kind).count(1)).expect("every carrier has it");
            let told = look();
            let is_no = matches!(told, Ok(Answer::Refused { .. } | Answer::Already));
            assert!(!is_no, "{} {kind:?}: {told:?}, and the money would go back", far.name);
        }
        assert_eq!(look(), Ok(Answer::Confirmed), "{}", far.name);
        assert!(has(&far.sim.card(&card.iccid)), "{}", far.name);
    }
}

#[test]
fn a_renewal_of_several_cycles_is_not_sent_as_one() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| matches!(far.name, "onelink" | "telecom_des")) {
        let (write, has) = order(&far);
        let Write::Subscribe { package, .. } = write else { panic!("an order") };
        let later = Some(far.now().plus(86_400));
        for (months, lasts, from) in [(Some(3), Some(1), None), (None, Some(1), later), (Some(2), None, None)] {
            let write = Write::Subscribe { package: package.clone(), months, lasts, from };
            let told = far.submit(&request(&card, write.clone()));
            assert!(matches!(told, Answer::Refused { .. }), "{} {write:?}: {told:?}", far.name);
        }
        far.sim.advance(30);
        assert!(!has(&far.sim.card(&card.iccid)), "{}", far.name);
        let whole = Write::Subscribe { package, months: Some(3), lasts: Some(3), from: None };
        assert!(matches!(far.submit(&request(&card, whole)), Answer::Accepted { .. }), "{}", far.name);
    }
}

#[test]
fn an_account_without_a_question_is_told_the_rest() {
    let status = [Fact::State, Fact::Session, Fact::Power];
    for (name, path, facts, missing) in [
        ("onelink", "on-off-status", status.as_slice(), Fact::Power),
        ("ctwing", "prodInstQuery", &[Fact::Month, Fact::Packages], Fact::Packages),
        ("telecom_des", "prodInstQuery", &[Fact::Month, Fact::Packages], Fact::Packages),
    ] {
        let (far, card) = Far::each(Base::Active).find(|(far, _)| far.name == name).expect("a carrier");
        far.read(&card, facts);
        far.sim.fault(Fault::new(far.platform, FaultKind::NotGranted).on(path).count(1)).expect("every carrier has it");
        let told = far.read(&card, facts);
        assert_eq!(far.sim.faults_left(far.platform, FaultKind::NotGranted), 0, "{name}");
        assert!(told.power.is_none() && told.packages.is_none(), "{name}: {missing:?} {told:?}");
        assert!(told.standing.is_some() || told.month.is_some(), "{name}: {told:?}");
    }
}

#[test]
fn an_order_whose_answer_is_lost_is_never_sent_twice() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&order(far).0)) {
        let (write, has) = order(&far);
        far.read(&card, &[Fact::State]);
        far.sim.fault(Fault::new(far.platform, FaultKind::AppliedButTimedOut).count(1)).expect("every carrier loses answers");
        let answer = far.submit(&request(&card, write.clone()));
        assert!(matches!(answer, Answer::InDoubt { .. }), "{}: {answer:?}", far.name);
        far.sim.advance(30);
        let told = far.call(&|call| Ok(far.connector.look(call, &request(&card, write.clone()), &Sent::in_doubt(far.now()))));
        // A plan that the card has shows; a package could be another's, so that a person looks.
        let plan = matches!(far.platform, Platform::Unicom | Platform::Jasper);
        let expected = if plan { told == Ok(Answer::Confirmed) } else { matches!(told, Ok(Answer::InDoubt { .. })) };
        assert!(expected, "{}: {told:?}", far.name);
        assert!(has(&far.sim.card(&card.iccid)), "{}", far.name);
    }
}

#[test]
fn why_a_card_is_stopped_is_told_as_far_as_its_carrier_knows() {
    // Unicom and Jasper know a stop and no more.
    let told = |name: &str, truly: Stop| match (name, truly) {
        (_, Stop::Owner) | ("unicom" | "jasper", _) => Blocks::OWNER_STOP,
        (_, Stop::Credit) => Blocks::CREDIT,
        ("ctwing", _) => Blocks(Blocks::FORCED.0 | Blocks::CARRIER_MANAGEMENT.0),
        _ => Blocks::FORCED,
    };
    for truly in [Stop::Owner, Stop::Credit, Stop::Forced] {
        for (far, card) in Far::each(Base::Active) {
            far.sim.set(&card.iccid, |card| card.stop(truly));
            let stop = far.read(&card, &[Fact::StopReason]).stop.expect("it is told");
            assert_eq!(stop.blocks.names(), told(far.name, truly).names(), "{} {truly:?}: {stop:?}", far.name);
        }
    }
}

#[test]
fn data_that_was_cut_for_what_was_used_is_not_told_as_switched_off() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| matches!(far.name, "ctwing" | "telecom_des")) {
        far.sim.set(&card.iccid, |card| card.cut_off = Some(CutOff { bytes: 1, beyond_package: false }));
        far.sim.use_bytes(&card.iccid, MB);
        let stop = far.read(&card, &[Fact::StopReason]).stop.expect("it is told");
        assert_eq!((stop.blocks, stop.words.as_str()), (Blocks::QUOTA, "已断网, 已达量断网"), "{}", far.name);
        far.sim.set(&card.iccid, |card| card.cut_off = None);
        assert!(far.settle(&request(&card, Write::DataOff { apn: None })).is_last());
        far.sim.advance(60);
        let stop = far.read(&card, &[Fact::StopReason]).stop.expect("it is told");
        assert_eq!(stop.blocks, Blocks::DATA_OFF, "{}: {stop:?}", far.name);
    }
}

#[test]
fn packages_are_told_with_their_use_and_their_end() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| matches!(far.name, "onelink" | "ctwing" | "telecom_des")) {
        far.sim.use_bytes(&card.iccid, 3 * MB);
        far.sim.advance(7_200);
        let (truth, told) = (far.sim.card(&card.iccid), far.read(&card, &[Fact::Packages]).packages.expect("they are told"));
        let [Bought { name, total_bytes, used_bytes, ends, .. }] = told.as_slice() else { panic!("{}: {told:?}", far.name) };
        assert_eq!(*name, truth.offers[0].name, "{}", far.name);
        if far.name != "ctwing" {
            assert_eq!(total_bytes.map(i64::unsigned_abs), Some(truth.offers[0].bytes), "{}", far.name);
            assert!(used_bytes.is_some_and(|used| used >= 3 << 20), "{}: {told:?}", far.name);
        }
        if far.name != "onelink" {
            assert_eq!(ends.map(|at| at.0), Some(truth.offers[0].until), "{}", far.name);
        }
    }
}

#[test]
fn the_portal_is_asked_for_the_use_of_packages_in_the_month_in_china() {
    let far = Far::of(CARRIERS[2], vec![CardSpec::new(Platform::Telecom)]);
    let card = far.card(0);
    let used = || far.read(&card, &[Fact::Packages]).packages.expect("they are told")[0].used_bytes;
    far.sim.use_bytes(&card.iccid, 3 * MB);
    far.sim.advance(7_200);
    assert_eq!(used(), Some(3 << 20), "in March");
    // An hour into April there, which is March still elsewhere.
    far.sim.advance(22 * 86_400 - 9 * 3_600);
    far.sim.fault(Fault::new(Platform::Telecom, FaultKind::NotGranted).on("monthDate=20260401")).expect("it has that");
    assert_eq!(used(), None, "what is refused is not told");
    assert_eq!(far.sim.faults_left(Platform::Telecom, FaultKind::NotGranted), 0, "it is asked for April");
    assert_eq!(used(), Some(0));
}

#[test]
fn what_a_carrier_counts_wrongly_is_told_as_it_counts_and_as_of_when() {
    for (kind, days) in [(FaultKind::CounterDown, 0), (FaultKind::MonthRoll, 22)] {
        for (platform, name) in CARRIERS {
            let far = Far::of((platform, name), vec![CardSpec::new(platform)]);
            let card = far.card(0);
            far.sim.use_bytes(&card.iccid, 4 * MB);
            // On 10 March, or three hours into April.
            far.sim.advance(if days == 0 { 7_200 } else { days * 86_400 - 5 * 3_600 });
            let right = far.read(&card, &[Fact::Month]).month.expect("it is told").counter.bytes;
            if far.sim.fault(Fault::new(platform, kind).count(1)).is_err() {
                continue;
            }
            let told = far.read(&card, &[Fact::Month]).month.expect("it is told").counter;
            let struck = far.sim.faults_left(platform, kind) == 0;
            match kind {
                FaultKind::CounterDown if struck => assert!(told.bytes < right, "{name}: {told:?} of {right}"),
                _ if struck => assert!(told.bytes > right, "{name}: {told:?}, the last month's, and {right} of this one"),
                _ => assert_eq!(told.bytes, right, "{name} {kind:?}"),
            }
            assert!(told.as_of <= far.now(), "{name} {kind:?}");
            assert_eq!(
                far.read(&card, &[Fact::Month]).month.map(|m| m.counter.bytes >= right),
                Some(true),
                "{name}: and then as it is"
            );
        }
    }
}

#[test]
fn a_batch_that_the_carrier_refuses_for_one_card_goes_on_without_it() {
    let far = Far::of(CARRIERS[0], vec![CardSpec::new(Platform::OneLink); 5]);
    let all: Vec<Request> = (0..5).map(|n| request(&far.card(n), Write::Stop)).collect();
    far.read(&far.card(0), &[Fact::State]);
    far.sim
        .fault(Fault::new(Platform::OneLink, FaultKind::PoisonedBatch).iccid(&far.card(2).iccid).count(2))
        .expect("it has that");
    let answers = far.call(&|call| Ok(far.connector.submit_many(call, &all))).expect("answers");
    assert!(answers.iter().all(|a| matches!(a, Answer::Accepted { .. })), "{answers:?}");
    assert_eq!(far.sim.faults_left(Platform::OneLink, FaultKind::PoisonedBatch), 0);
    far.sim.advance(30);
    assert!((0..5).all(|n| far.base(&far.card(n)) == Base::Stopped));
}

#[test]
fn an_answer_that_comes_late_is_one_and_one_that_comes_too_late_is_a_doubt() {
    for (hold_ms, in_time) in [(50, true), (1_500, false)] {
        let far = Far::with(CARRIERS[0], vec![CardSpec::new(Platform::OneLink)], &[]);
        let card = far.card(0);
        far.read(&card, &[Fact::State]);
        let slow = Fault::new(Platform::OneLink, FaultKind::Slow).on("change/sim-status").hold_ms(hold_ms);
        far.sim.fault(slow).expect("it has that");
        let far = if in_time { far } else { far.impatient() };
        let answer = far.submit(&request(&card, Write::Stop));
        assert_eq!(matches!(answer, Answer::Accepted { .. }), in_time, "{answer:?}");
        assert!(in_time || matches!(answer, Answer::InDoubt { .. }), "{answer:?}");
        far.sim.advance(30);
        assert_eq!(far.base(&card), Base::Stopped, "it was done");
    }
}
