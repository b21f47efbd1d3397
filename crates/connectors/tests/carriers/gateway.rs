//! A gateway answers in the carrier's place, whether the carrier took the write or never heard of it: nothing is done twice, nothing is lost,
//! and what must not be done twice is in doubt until the card shows it.

use super::cards::order;
use super::*;

/// What a gateway says that has no way to the carrier; 429 is its word that nothing was passed on.
const TROUBLE: [u16; 3] = [502, 503, 504];
const TOO_MANY: u16 = 429;

/// What in a request of this write, and of no question before it, the fault is known by.
fn on(platform: Platform, write: &Write) -> &'static str {
    match (platform, write) {
        (Platform::OneLink, Write::Subscribe { .. }) => "order/gprspackage-order",
        (Platform::OneLink, Write::DataOff { .. }) => "operate/sim-apn-function",
        (Platform::OneLink, _) => "change/sim-status",
        (Platform::CtWing | Platform::Telecom, Write::Subscribe { .. }) => "orderFlow",
        (Platform::CtWing | Platform::Telecom, Write::DataOff { .. }) => "singleCutNet",
        (Platform::CtWing | Platform::Telecom, _) => "disabledNumber",
        (Platform::Unicom, Write::DataOff { .. }) => "wsEditNetworkAccessConfig",
        (Platform::Unicom, _) => "wsEditTerminal",
        (Platform::Jasper, _) => "PUT ",
    }
}

/// The faults of a gateway: the write was not taken, or it was.
fn faults(platform: Platform, write: &Write) -> Vec<Fault> {
    let fault = |kind| Fault::new(platform, kind).on(on(platform, write));
    let with = |kind, status: &u16| fault(kind).status(*status);
    let untaken = TROUBLE.iter().chain([&TOO_MANY]).map(|status| with(FaultKind::Unavailable, status));
    untaken.chain(TROUBLE.iter().map(|status| with(FaultKind::AppliedButUnavailable, status))).collect()
}

/// An account with what the write is about, and the fault armed.
fn armed(carrier: (Platform, &'static str), fault: &Fault) -> (Far, Card) {
    let far = Far::of(carrier, vec![CardSpec::new(carrier.0)]);
    let card = far.card(0);
    far.read(&card, &[Fact::State]);
    far.sim.fault(fault.clone()).expect("every carrier has it");
    (far, card)
}

#[test]
fn a_switch_that_a_gateway_answered_is_done_once_whether_it_was_taken_or_not() {
    let is_off = |far: &Far, card: &Card| !far.sim.card(&card.iccid).data_off.is_empty();
    let is_stopped = |far: &Far, card: &Card| far.base(card) == Base::Stopped;
    let (mut able, switches) = (0, [Write::Stop, Write::DataOff { apn: None }]);
    for (carrier, write) in CARRIERS.into_iter().flat_map(|carrier| switches.iter().map(move |write| (carrier, write))) {
        for fault in faults(carrier.0, write) {
            let (far, card) = armed(carrier, &fault);
            let end = far.settle(&request(&card, write.clone()));
            assert!(matches!(end, Answer::Confirmed | Answer::Already), "{} {fault:?}: {end:?}", far.name);
            assert_eq!(far.sim.faults_left(far.platform, fault.kind), 0, "{} {fault:?}: it struck", far.name);
            far.sim.advance(600);
            assert_eq!(
                [is_stopped(&far, &card), is_off(&far, &card)],
                [*write == Write::Stop, *write != Write::Stop],
                "{}",
                far.name
            );
            let stops = far.sim.card(&card.iccid).changes.iter().filter(|change| change.to == Base::Stopped).count();
            assert_eq!(stops, usize::from(*write == Write::Stop), "{} {fault:?}", far.name);
            able += 1;
        }
    }
    assert_eq!(able, 5 * 2 * 7);
}

/// How often the card has what is ordered.
fn times(far: &Far, card: &Card) -> usize {
    let truth = far.sim.card(&card.iccid);
    let plans = truth.edits.iter().filter(|edit| edit.field == "ratePlan").count();
    let offers = truth.offers.iter().filter(|offer| !offer.main).count();
    plans + offers
}

/// A plan that a card has shows, so that an order for one is settled by looking. A package may be another order's: what is not known stays in
/// doubt, for a person, and is never sent again.
#[test]
fn an_order_that_a_gateway_answered_is_in_doubt_until_the_card_shows_it() {
    let mut able = Vec::new();
    for carrier in CARRIERS {
        let (write, has) = order(&Far::of(carrier, vec![CardSpec::new(carrier.0)]));
        for fault in faults(carrier.0, &write) {
            let (far, card) = armed(carrier, &fault);
            if !far.can(&write) {
                continue;
            }
            let (asked, taken) = (request(&card, write.clone()), fault.kind == FaultKind::AppliedButUnavailable);
            let told = far.submit(&asked);
            assert_eq!(far.sim.faults_left(far.platform, fault.kind), 0, "{} {fault:?}: it struck", far.name);
            let sent = Sent::in_doubt(far.now());
            let look = || far.call(&|call| Ok(far.connector.look(call, &asked, &sent))).expect("an answer");
            far.sim.advance(APPLY_SECONDS - 1);
            let plan = far.connector.capabilities().shows && matches!(far.platform, Platform::Unicom | Platform::Jasper);
            if fault.status == TOO_MANY {
                assert!(matches!(told, Answer::Later { .. }), "{} {fault:?}: {told:?}", far.name);
            } else {
                assert!(matches!(told, Answer::InDoubt { .. }), "{} {fault:?}: {told:?}", far.name);
                let told = look();
                let expected = if plan && taken { told == Answer::Confirmed } else { matches!(told, Answer::InDoubt { .. }) };
                assert!(expected, "{} {fault:?}: {told:?}", far.name);
                far.sim.advance(86_400);
                let told = look();
                let expected = match (plan, taken) {
                    (true, true) => told == Answer::Confirmed,
                    (true, false) => told == Answer::Unknown,
                    (false, _) => matches!(told, Answer::InDoubt { .. }),
                };
                assert!(expected, "{} {fault:?}, a day later: {told:?}", far.name);
            }
            assert_eq!(
                (has(&far.sim.card(&card.iccid)), times(&far, &card)),
                (taken, usize::from(taken)),
                "{} {fault:?}",
                far.name
            );
            if plan && !taken || fault.status == TOO_MANY {
                let end = far.settle(&asked);
                assert!(matches!(end, Answer::Confirmed | Answer::Already), "{} {fault:?}: {end:?}", far.name);
                assert_eq!((has(&far.sim.card(&card.iccid)), times(&far, &card)), (true, 1), "{} {fault:?}", far.name);
            }
            able.push(far.name);
        }
    }
    able.dedup();
    assert_eq!(able, ["onelink", "telecom_des", "unicom", "jasper"]);
}
