//! What a file is called and names, and when it is made.

use crate::{Post, target};
use kachi_domain::cdr::{FileName, write_record};
use kachi_domain::usage::CdrRecord;
use kachi_domain::{Iccid, PlatformId, Timestamp};
use kachi_engine::{cdr_deliveries, import};
use kachi_testkit::db::each;
use kachi_testkit::ftp::Server;
use kachi_testkit::trade::{ACME, CARD, FOREIGN, NORTH, OPERATOR, OTHER, START};
use std::io::Cursor;

const HEADER: &str = "id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc";

/// The files there, each with the ids of its records; the header row is checked.
fn ids(server: &Server) -> Vec<(String, Vec<i64>)> {
    let read = |(name, content): (String, Vec<u8>)| {
        let text = String::from_utf8(content).expect("UTF-8");
        let mut lines = text.lines();
        let header = lines.next();
        assert!(header.is_none_or(|h| h == HEADER), "{text}");
        (name, lines.map(|l| l.split(',').next().expect("an id").parse().expect("a number")).collect())
    };
    server.files().into_iter().map(read).collect()
}

/// The ids of the newest file of the account.
fn newest(server: &Server, account: i64) -> Vec<i64> {
    let of = format!("cdr_{account}_");
    ids(server).into_iter().rfind(|(name, _)| name.starts_with(&of)).expect("a file").1
}

#[test]
fn each_half_hour_brings_the_hour_that_ended_half_an_hour_before() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        post.folder(ACME, &target(&server));
        post.trade.traffic(CARD, START.plus(-3600), 1); // id 1: the window's first instant
        post.trade.traffic(CARD, START.plus(-1), 2); // id 2: its last
        post.trade.traffic(CARD, START, 3); // id 3: belongs to the next
        post.trade.traffic(CARD, START.plus(-3601), 4); // id 4: before the window, arrived since the half hour before
        post.trade.traffic(FOREIGN, START.plus(-60), 5); // id 5: a stranger's
        post.half_hour();
        let files = server.files();
        let name = "cdr_11_20260301030000_20260301040000_20260301043000.csv";
        assert_eq!(files.keys().collect::<Vec<_>>(), [name]);
        let text = String::from_utf8(files[name].clone()).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], HEADER);
        assert!(
            lines.contains(
                &"1,2026-03-01 02:59:00,2026-03-01 03:00:00,89860012345678901234,460001234567890,1,867530912345678,31026"
            ),
            "{text}"
        );
        assert_eq!(ids(&server), [(name.to_owned(), vec![1, 2, 4])]);
        let done = post.last();
        assert_eq!((done.state.as_str(), done.attempts, done.records), ("done", 1, Some(3)));
        assert_eq!(done.bytes, Some(files[name].len() as i64));
        // The next window overlaps by half an hour.
        post.half_hour();
        assert_eq!(newest(&server, 11), [2, 3]);
        // Its window was sent without it: it goes into the next file, and only there.
        post.trade.traffic(CARD, START.plus(-7200), 6);
        post.half_hour();
        assert_eq!(newest(&server, 11), [3, 6]);
        post.half_hour();
        assert_eq!(newest(&server, 11), [0; 0]);
        assert_eq!(server.files().into_values().next_back(), Some(Vec::new()), "an empty hour is an empty file");
    });
}

#[test]
fn a_reseller_gets_the_records_of_the_accounts_below_it() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        for account in [NORTH, OTHER] {
            post.folder(account, &target(&server));
        }
        post.trade.traffic(CARD, START.plus(-60), 1);
        post.trade.traffic(FOREIGN, START.plus(-60), 2);
        post.half_hour();
        assert_eq!((newest(&server, 10), newest(&server, 12)), (vec![1], vec![2]));
    });
}

#[test]
fn an_hour_read_once_gives_each_account_what_it_would_have_read_alone() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        for account in [OPERATOR, NORTH, ACME, OTHER] {
            post.folder(account, &target(&server));
        }
        post.traffic_many(CARD, START.plus(-60), 10_001); // more than are read at once
        post.trade.again().traffic(FOREIGN, START.plus(-50), 7); // its records are numbered from a million
        post.half_hour();
        let together = server.files();
        let records = |account| post.deliveries().iter().find(|d| d.account == account).and_then(|d| d.records);
        assert_eq!([OPERATOR, NORTH, ACME, OTHER].map(records), [10_002, 10_001, 10_001, 1].map(Some));
        // By another process each is read alone: the same bytes.
        let alone = Post { trade: post.trade.again(), uploader: post.uploader.clone(), runtime: Post::runtime() };
        server.set(&[]);
        for delivery in alone.deliveries() {
            let id = delivery.id;
            assert_eq!(cdr_deliveries::resend(&alone.trade.engine, None, id, id).expect("an answer"), 1);
            assert_eq!(alone.upload(), 1);
        }
        assert_eq!(server.files(), together);
    });
}

#[test]
fn half_hours_that_passed_unseen_are_made_up_for() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        post.folder(ACME, &target(&server));
        post.trade.traffic(CARD, START.plus(-60), 1);
        post.trade.pass(7199);
        assert_eq!(post.make(), 3, "04:30, 05:00 and 05:30");
        assert_eq!(post.make(), 0);
        // A folder given now gets no file of half hours before.
        post.folder(OTHER, &target(&server));
        assert_eq!(post.upload(), 3);
        let names: Vec<FileName> = ids(&server).iter().map(|f| FileName::parse(&f.0).expect("a name")).collect();
        let made: Vec<Timestamp> = names.iter().map(|n| n.generated).collect();
        assert_eq!(made, [START.plus(1800), START.plus(3600), START.plus(5400)]);
        assert!(names.iter().all(|n| n.end.plus(1800) == n.generated && n.start.plus(3600) == n.end && n.account == "11"));
        let held: Vec<Vec<i64>> = ids(&server).into_iter().map(|f| f.1).collect();
        assert_eq!(held, [vec![1], vec![1], vec![]]);
    });
}

#[test]
fn a_file_sent_again_is_the_same_file() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        post.folder(ACME, &target(&server));
        post.trade.traffic(CARD, START.plus(-60), 1);
        post.half_hour();
        let (first, delivery) = (server.files(), post.last());
        // Records of that hour that arrive now are for the next file.
        post.trade.traffic(CARD, START.plus(-50), 2);
        server.set(&[]);
        let engine = &post.trade.engine;
        assert_eq!(cdr_deliveries::resend(engine, Some(OTHER), delivery.id, delivery.id).expect("an answer"), 0, "not its own");
        assert_eq!(cdr_deliveries::resend(engine, Some(NORTH), delivery.id, delivery.id).expect("an answer"), 1);
        assert_eq!(post.upload(), 1);
        assert_eq!(server.files(), first);
        let (again, attempts) = cdr_deliveries::show(engine, delivery.id).expect("an answer").expect("the delivery");
        assert_eq!((again.state.as_str(), again.attempts, attempts.len()), ("done", 2, 2));
        post.half_hour();
        assert_eq!(newest(&server, 11), [1, 2]);
    });
}

#[test]
fn days_that_a_carrier_counted_have_ids_of_their_own() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        post.folder(OPERATOR, &target(&server));
        let engine = &post.trade.engine;
        let midnight = START.0 - START.0.rem_euclid(86_400) - 8 * 3600;
        let mut text = Vec::new();
        for (days, iccid) in [(2, CARD), (1, CARD), (1, FOREIGN)] {
            let whole = (Timestamp(midnight - days * 86_400), Timestamp(midnight - (days - 1) * 86_400));
            let record = CdrRecord::of_counted_day(post.trade.sim(iccid), Iccid::parse(iccid).expect("an ICCID"), whole, 7);
            write_record(&mut text, &record);
        }
        let taken = import::import(engine, PlatformId(1), "counted", &mut Cursor::new(text), &mut |_| {}).expect("taken in");
        assert_eq!(taken.loaded, 3);
        post.trade.traffic(CARD, START.plus(-60), 1); // id 1 of the carrier's own
        post.half_hour();
        let told = newest(&server, OPERATOR.0);
        let all: std::collections::BTreeSet<i64> = told.iter().copied().collect();
        assert_eq!((told.len(), all.len()), (4, 4), "{told:?}");
        assert!(all.contains(&1) && all.iter().filter(|id| **id > 9_000_000_000_000_000_000).count() == 3, "{told:?}");
    });
}

#[test]
fn a_clock_that_was_ahead_once_keeps_no_half_hour_from_being_made_when_it_has_come() {
    each(|store| {
        const AHEAD: i64 = 6 * 1800;
        let (post, server) = (Post::new(store), Server::start());
        post.folder(ACME, &target(&server));
        post.half_hour();
        post.trade.pass(AHEAD);
        assert_eq!(post.make(), 6);
        post.upload();
        post.trade.pass(-AHEAD);
        assert_eq!((post.make(), server.files().len()), (0, 7));
        post.trade.traffic(CARD, START.plus(-1), 1);
        for _ in 0..6 {
            post.half_hour();
        }
        assert_eq!(post.deliveries().len(), 7, "one a half hour, as ever");
        let named: Vec<Vec<i64>> = ids(&server).into_iter().map(|(_, named)| named).filter(|named| !named.is_empty()).collect();
        assert_eq!(named, [[1]], "the record is in the file of its hour");
    });
}
