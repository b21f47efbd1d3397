//! Each carrier, asked over the wire by a client in Python that shares no code with us. Needs `python3`.

use kachi_simulator::{Base, CardSpec, Platform, Settings, Simulator};
use std::process::Command;

/// Runs the client against a world and wants all its checks to hold.
fn asked_by(client: &str, platform: Platform, settings: Settings) {
    let sim = Simulator::start(settings).expect("a world");
    let card = |iccid: &String| {
        let card = sim.card(iccid);
        format!("{{\"iccid\":\"{iccid}\",\"msisdn\":\"{}\",\"imsi\":\"{}\",\"imei\":\"{}\"}}", card.msisdn, card.imsi, card.imei)
    };
    let cards = sim.iccids(platform).iter().map(card).collect::<Vec<_>>().join(",");
    let script = format!("{}/../../tests/clients/carriers/{client}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.args([&script, &sim.control_url(), &sim.url(platform), &format!("[{cards}]")]).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().expect("python3 must be installed: the carriers' clients are written in it");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{client}: {out}{err}");
    let checks = out.split(' ').next().and_then(|n| n.parse::<u32>().ok());
    assert!(checks.is_some_and(|n| n > 20), "{client} checked little: {out}");
}

/// So many ordinary cards, after some of other kinds.
fn cards(platform: Platform, first: Vec<CardSpec>, more: usize) -> Settings {
    let rest = std::iter::repeat_n(CardSpec::new(platform), more);
    Settings { cards: first.into_iter().chain(rest).collect(), ..Settings::default() }
}

#[test]
fn onelink_as_published() {
    let one = || CardSpec::new(Platform::OneLink);
    let mut first = vec![one(), one().base(Base::Ready), one().pb(), one().foreign()];
    first.extend([one(), one(), one(), one(), one(), one().pool("G1"), one().pool("G1")]);
    asked_by("onelink.py", Platform::OneLink, cards(Platform::OneLink, first, 2));
}

#[test]
fn ctwing_as_published() {
    let one = || CardSpec::new(Platform::CtWing);
    let first = vec![one(), one(), one().base(Base::Ready), one().base(Base::Testing), one().foreign()];
    asked_by("ctwing.py", Platform::CtWing, cards(Platform::CtWing, first, 1));
}

#[test]
fn telecom_as_published() {
    let one = || CardSpec::new(Platform::Telecom);
    let mut first = vec![one(), one(), one().base(Base::Ready), one().base(Base::Testing), one().foreign()];
    first.extend([one().pool("P1"), one().pool("P1")]);
    asked_by("telecom.py", Platform::Telecom, cards(Platform::Telecom, first, 0));
}

#[test]
fn unicom_as_published() {
    let one = || CardSpec::new(Platform::Unicom);
    let first = vec![one(), one(), one().base(Base::Ready), one().foreign()];
    asked_by("unicom.py", Platform::Unicom, cards(Platform::Unicom, first, 1));
}

#[test]
fn jasper_as_published() {
    let one = || CardSpec::new(Platform::Jasper);
    let first = vec![one(), one(), one().base(Base::Ready), one().foreign()];
    asked_by("jasper.py", Platform::Jasper, cards(Platform::Jasper, first, 8));
}
