//! The world itself: totals add up, it is the same each time, and only loopback addresses reach it.

use kachi_domain::cdr::{Feed, FileName, Line};
use kachi_simulator::{Addresses, Base, CardSpec, Platform, Settings, Shape, Simulator, Stop};
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

fn population(seed: u64, cards: u32) -> Settings {
    Settings { seed, population: Platform::ALL.map(|p| (p, cards)).into(), history_days: 0, ..Settings::default() }
}

/// Bytes by card of all records.
fn sums(sim: &Simulator, platform: Platform) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for record in sim.records(platform) {
        *sums.entry(record.iccid).or_default() += record.bytes;
    }
    sums
}

#[test]
fn a_month_of_traffic_adds_up_whoever_looks_when() {
    let (watched, alone) = (Simulator::start(population(7, 60)).unwrap(), Simulator::start(population(7, 60)).unwrap());
    for hour in 0..24 * 17 {
        watched.advance(3600);
        for platform in Platform::ALL {
            let iccids = watched.iccids(platform);
            watched.month_bytes(&iccids[hour % iccids.len()]);
        }
    }
    alone.advance(17 * DAY - 1800);
    alone.advance(1800);
    for platform in Platform::ALL {
        let records = sums(&watched, platform);
        assert_eq!(watched.records(platform), alone.records(platform), "{platform:?}");
        assert!(records.len() > 30 && records.values().sum::<u64>() > 1 << 30, "{platform:?}");
        let first = if matches!(platform, Platform::Unicom | Platform::Jasper) { 20_260_327 } else { 20_260_301 };
        for iccid in watched.iccids(platform) {
            let days: u64 = (20_260_310..=20_260_327).map(|day| watched.day_bytes(&iccid, day)).sum();
            assert_eq!(days, records.get(&iccid).copied().unwrap_or(0), "{iccid}");
            let cycle: u64 = (first..=20_260_327).map(|day| watched.day_bytes(&iccid, day)).sum();
            assert_eq!(watched.month_bytes(&iccid), cycle, "{iccid}");
        }
    }
}

#[test]
fn another_seed_is_another_world() {
    let records = |seed| {
        let sim = Simulator::start(population(seed, 20)).unwrap();
        sim.advance(DAY);
        sim.records(Platform::OneLink)
    };
    assert_eq!(records(1), records(1));
    assert_ne!(records(1), records(2));
}

#[test]
fn a_stopped_card_uses_nothing_and_the_session_under_way_is_cut_short() {
    let runaway = CardSpec::new(Platform::OneLink).shape(Shape::Runaway);
    let sim =
        Simulator::start(Settings { cards: vec![runaway.clone(), runaway], history_days: 0, ..Settings::default() }).unwrap();
    let iccids = sim.iccids(Platform::OneLink);
    sim.advance(1000 * 3600);
    let all = sim.records(Platform::OneLink);
    let whole = |iccid: &str| all.iter().filter(|r| r.iccid == iccid).cloned().collect::<Vec<_>>();
    assert_eq!(whole(&iccids[0]).len(), 1000);
    // Half way through the first card's next session.
    let next = sim.now() + 3600;
    sim.advance(3600);
    let session = sim.records(Platform::OneLink).into_iter().find(|r| r.iccid == iccids[0] && r.start >= next - 3600).unwrap();
    let again = Simulator::start(Settings {
        cards: vec![CardSpec::new(Platform::OneLink).shape(Shape::Runaway); 2],
        history_days: 0,
        ..Settings::default()
    });
    let sim = again.unwrap();
    let middle = (session.start + session.stop) / 2;
    sim.advance(middle - sim.now());
    sim.set(&iccids[0], |card| card.stop(Stop::Owner));
    sim.advance(DAY);
    let records = sim.records(Platform::OneLink);
    let cut = records.iter().rfind(|r| r.iccid == iccids[0]).unwrap();
    assert_eq!((cut.start, cut.stop), (session.start, middle));
    assert!(cut.bytes > session.bytes / 3 && cut.bytes < session.bytes * 2 / 3, "{} of {}", cut.bytes, session.bytes);
    assert!(records.iter().filter(|r| r.iccid == iccids[1]).count() >= 1000 + 24);
    sim.set(&iccids[0], |card| card.resume(Stop::Owner));
    assert_eq!(sim.card(&iccids[0]).base, Base::Active);
    sim.advance(DAY);
    let later = sim.records(Platform::OneLink);
    assert!(later.iter().filter(|r| r.iccid == iccids[0] && r.start > middle + DAY).count() >= 23);
}

#[test]
fn a_cdr_file_is_read_back_as_the_records_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { cdr_dir: Some(folder.path().into()), ..population(3, 40) };
    let sim = Simulator::start(settings).unwrap();
    let from = sim.now();
    for _ in 0..5 {
        sim.advance(7200);
    }
    let mut read = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = FileName::parse(path.to_str().unwrap()).unwrap();
        assert_eq!(name.end.since(name.start), 3600);
        if name.account != "unicom" {
            continue;
        }
        read.extend(lines(&std::fs::read(&path).unwrap()));
    }
    // Ten hours; the file of the tenth comes ten minutes after it.
    let records = sim.records(Platform::Unicom).into_iter().filter(|r| r.stop < from + 9 * 3600);
    let mut wanted: Vec<(i64, String, u64)> = records.map(|r| (r.id, r.iccid, r.bytes)).collect();
    wanted.sort();
    read.sort();
    assert!(wanted.len() > 20);
    assert_eq!(read, wanted);
    let (name, bytes) = sim.cdr_file(Platform::Unicom, from, from + 9 * 3600);
    assert!(name.starts_with("cdr_unicom_20260310000000_20260310090000_"), "{name}");
    let mut asked = lines(&bytes);
    asked.sort();
    assert_eq!(asked, wanted);
}

/// Number, card and bytes of each line.
fn lines(bytes: &[u8]) -> Vec<(i64, String, u64)> {
    let mut found = Vec::new();
    let mut each = |line: Line<'_>| match line {
        Line::Record(raw) => {
            let record = raw.to_record();
            found.push((record.source_id, record.iccid.to_string(), record.bytes.unsigned_abs()));
        }
        Line::Bad(bad) => panic!("a bad line: {bad:?}"),
        _ => {}
    };
    let mut feed = Feed::new();
    feed.block(bytes, &mut each);
    feed.finish(&mut each);
    found
}

#[test]
fn only_loopback_addresses_reach_the_world() {
    let mut addresses = Addresses::free();
    addresses.control = "0.0.0.0:0".parse().unwrap();
    let refused = Simulator::start_at(Settings::default(), &addresses).map(|_| ());
    assert_eq!(refused, Err("0.0.0.0:0 is not a loopback address: the simulator is served on those only".into()));
    let taken = Simulator::start(Settings::default()).unwrap();
    let refused = Simulator::start_at(Settings::default(), taken.addresses()).map(|_| ());
    assert!(refused.unwrap_err().contains("cannot be listened on"));
    let twice = CardSpec::new(Platform::OneLink).iccid("89860426000000000001");
    let refused = Simulator::start(Settings { cards: vec![twice.clone(), twice], ..Settings::default() }).map(|_| ());
    assert!(refused.unwrap_err().contains("89860426000000000001 is the number of another card too"));
}

#[test]
fn a_card_that_comes_back_within_a_session_begins_with_the_next_one() {
    let world = || {
        let runaway = CardSpec::new(Platform::OneLink).shape(Shape::Runaway);
        Simulator::start(Settings { cards: vec![runaway], history_days: 0, ..Settings::default() }).unwrap()
    };
    let whole = world();
    whole.advance(2 * 3600);
    let sessions = whole.records(Platform::OneLink);
    let sim = world();
    let iccid = sim.iccids(Platform::OneLink).remove(0);
    let third = (sessions[0].stop - sessions[0].start) / 3;
    sim.advance(sessions[0].start + third - sim.now());
    sim.set(&iccid, |card| card.powered = false);
    sim.advance(third);
    sim.set(&iccid, |card| card.powered = true);
    sim.advance(whole.now() - sim.now());
    let records = sim.records(Platform::OneLink);
    assert_eq!((records[0].start, records[0].stop), (sessions[0].start, sessions[0].start + third));
    assert_eq!(records[1..], [kachi_simulator::Record { id: records[1].id, ..sessions[1].clone() }]);
}
