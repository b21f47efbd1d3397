//! What becomes of a file when the server fails: one whole file, or none and another attempt.

use crate::{Post, target};
use kachi_edges::outbound::Outbound;
use kachi_engine::cdr_deliveries::{self, Sent};
use kachi_testkit::db::each;
use kachi_testkit::ftp::{Fault, PASSWORD, Server};
use kachi_testkit::trade::{ACME, CARD, START};
use std::time::Duration;

/// A file of more than one block, or of one line, is due.
fn due(post: &Post, server: &Server, records: i64) {
    post.folder(ACME, &target(server));
    (0..records).for_each(|i| post.trade.traffic(CARD, START.plus(-60 - i), 1));
    post.trade.pass(1800);
    assert_eq!(post.make(), 1);
}

/// Exactly one file is there, whole.
fn assert_one_whole(post: &Post, server: &Server) {
    let files = server.files();
    assert_eq!(files.len(), 1, "{:?}", files.keys());
    let (name, content) = files.first_key_value().expect("a file");
    assert!(name.ends_with(".csv"), "{name}");
    let done = post.last();
    assert_eq!((done.state.as_str(), done.bytes), ("done", Some(content.len() as i64)), "{done:?}");
    assert_eq!(content.iter().filter(|b| **b == b'\n').count() as i64, done.records.expect("records") + 1);
}

/// How the first attempt goes wrong: what the log of attempts then says, and whether the file is there although nobody
/// told us so.
const ATTEMPTS: &[(Fault, &str, bool)] = &[
    (Fault::BreakAfter(0), "ending the upload", false),
    (Fault::BreakAfter(100), "ending the upload", false),
    (Fault::FullAfter(100), "452", false),
    (Fault::Keep(100), "the server holds 100 of", false),
    (Fault::LiePort(22), "names port 22", false),
    (Fault::LiePort(1024), "data connection", false),
    (Fault::RefuseRename, "553", false),
    (Fault::BreakBeforeRename, "renaming", false),
    (Fault::BreakAfterRename, "renaming", true),
    (Fault::HoldAfterStore, "no answer in 1 s", false),
    (Fault::HoldAfterRename, "no answer in 1 s", true),
];

#[test]
fn whatever_fails_ends_in_one_whole_file() {
    each(|store| {
        let (mut post, server) = (Post::new(store), Server::start());
        due(&post, &server, 3);
        let patience = post.uploader.timeout;
        for (n, (fault, words, is_there)) in ATTEMPTS.iter().enumerate() {
            server.fail(&[*fault]);
            let held = matches!(fault, Fault::HoldAfterStore | Fault::HoldAfterRename);
            post.uploader.timeout = if held { Duration::from_secs(1) } else { patience };
            assert_eq!(post.upload(), 1, "{fault:?}: one attempt");
            post.uploader.timeout = patience;
            let failed = post.last();
            assert_eq!(failed.state, "waiting", "{fault:?}: {failed:?}");
            let answer = failed.last_answer.expect("an answer");
            assert!(answer.contains(words), "{fault:?}: {answer}");
            let final_names = server.files().into_keys().filter(|name| !name.ends_with(".part")).count();
            assert_eq!(final_names, usize::from(*is_there), "{fault:?}: {:?}", server.files().keys());
            assert_eq!(failed.due_at, Some(post.trade.now().plus(5).0), "{fault:?}: the second entry of the schedule");
            assert_eq!(post.upload(), 0, "{fault:?}: not before its time");
            post.trade.pass(5);
            assert_eq!(post.upload(), 1, "{fault:?}: the second attempt");
            assert_one_whole(&post, &server);
            // Once more from the beginning.
            server.set(&[]);
            let id = failed.id;
            assert_eq!(cdr_deliveries::resend(&post.trade.engine, None, id, id).expect("an answer"), 1);
            let (_, log) = cdr_deliveries::show(&post.trade.engine, id).expect("an answer").expect("the delivery");
            assert_eq!(log.len(), 2 * (n + 1), "every attempt is in the log");
        }
    });
}

/// The same over EPSV and inside implicit TLS; what is held needs no other way.
#[test]
fn whatever_fails_by_epsv_or_inside_tls_ends_in_one_whole_file() {
    each(|store| {
        let (post, mut tries) = (Post::new(store), 0);
        for server in [Server::start_v6(), Server::start_tls()] {
            server.fail(&[]);
            post.folder(ACME, &target(&server));
            if tries == 0 {
                due(&post, &server, 3);
            } else {
                let id = post.last().id;
                assert_eq!(cdr_deliveries::resend(&post.trade.engine, None, id, id).expect("an answer"), 1);
            }
            let failing = |f: &&(Fault, &str, bool)| !matches!(f.0, Fault::HoldAfterStore | Fault::HoldAfterRename);
            for (fault, _, is_there) in ATTEMPTS.iter().filter(failing) {
                server.fail(&[*fault]);
                assert_eq!(post.upload(), 1, "{fault:?}: one attempt");
                let failed = post.last();
                assert_eq!(failed.state, "waiting", "{fault:?}: {failed:?}");
                let final_names = server.files().into_keys().filter(|name| !name.ends_with(".part")).count();
                assert_eq!(final_names, usize::from(*is_there), "{fault:?}: {:?}", server.files().keys());
                post.trade.pass(5);
                assert_eq!(post.upload(), 1, "{fault:?}: the second attempt");
                assert_one_whole(&post, &server);
                server.set(&[]);
                cdr_deliveries::resend(&post.trade.engine, None, failed.id, failed.id).expect("an answer");
                tries += 1;
            }
            post.upload();
            assert_one_whole(&post, &server);
            let said = server.said();
            let word = if server.fingerprint.is_empty() { "EPSV" } else { "PROT P" };
            assert!(said.iter().any(|c| c == word), "{said:?}");
        }
        assert_eq!(tries, 2 * 9);
    });
}

#[test]
fn a_large_file_that_breaks_off_is_sent_again_from_its_beginning() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        post.folder(ACME, &target(&server));
        post.traffic_many(CARD, START.plus(-60), 20_001);
        post.trade.pass(1800);
        assert_eq!(post.make(), 1);
        server.fail(&[Fault::BreakAfter(1_000_000), Fault::FullAfter(1_000_000)]);
        for seconds in [0, 5] {
            post.trade.pass(seconds);
            post.upload();
            assert_eq!(post.last().state, "waiting");
            assert!(server.files().into_keys().all(|name| name.ends_with(".part")));
        }
        post.trade.pass(300);
        post.upload();
        assert_one_whole(&post, &server);
        let text = String::from_utf8(server.files().into_values().next().expect("the file")).expect("UTF-8");
        let mut ids: Vec<i64> =
            text.lines().skip(1).map(|l| l.split(',').next().expect("an id").parse().expect("a number")).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=20_001).collect::<Vec<_>>());
    });
}

#[test]
fn a_lie_about_the_address_is_not_followed() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 1);
        // A host of ours, as a server that means harm would name it; the connection goes to the server itself.
        server.fail(&[Fault::LieAddress([127, 0, 0, 2])]);
        assert_eq!(post.upload(), 1);
        assert_one_whole(&post, &server);
    });
}

#[test]
fn a_file_that_is_there_is_replaced_unless_it_is_the_same() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 2);
        server.fail(&[Fault::NoSize]);
        post.upload();
        assert_one_whole(&post, &server);
        let (name, content) = server.files().pop_first().expect("the file");
        let id = post.last().id;
        for (there, words) in [(content.as_slice(), "were there already"), (b"half".as_slice(), "in place of another")] {
            server.set(&[(&name, there)]);
            server.fail(&[Fault::RefuseReplace]);
            cdr_deliveries::resend(&post.trade.engine, None, id, id).expect("an answer");
            assert_eq!(post.upload(), 1);
            assert_one_whole(&post, &server);
            assert!(post.last().last_answer.expect("an answer").contains(words), "{words}");
        }
        // A server that refuses and does not tell sizes keeps what it has.
        server.set(&[(&name, b"half")]);
        server.fail(&[Fault::RefuseRename]);
        cdr_deliveries::resend(&post.trade.engine, None, id, id).expect("an answer");
        post.upload();
        assert_eq!(post.last().state, "waiting");
    });
}

#[test]
fn after_the_last_attempt_a_file_is_dead_until_it_is_sent_by_hand() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 1);
        server.fail(&[Fault::RefuseRename; 8]);
        for seconds in [0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000] {
            assert_eq!(post.last().state, "waiting");
            post.trade.pass(seconds);
            assert_eq!(post.upload(), 1);
        }
        let dead = post.last();
        assert_eq!((dead.state.as_str(), dead.due_at, dead.attempts), ("dead", None, 8));
        assert!(server.files().is_empty(), "nothing half is left");
        post.trade.pass(1_000_000);
        assert_eq!(post.upload(), 0);
        cdr_deliveries::resend(&post.trade.engine, None, dead.id, dead.id).expect("an answer");
        assert_eq!(post.upload(), 1);
        assert_one_whole(&post, &server);
    });
}

#[test]
fn a_lost_lease_counts_for_nothing() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 1);
        let engine = &post.trade.engine;
        let job = cdr_deliveries::claim(engine, 1).expect("an answer").expect("a job");
        assert_eq!(post.upload(), 0, "it is under a lease");
        assert!(cdr_deliveries::keep(engine, &job).expect("an answer"));
        post.trade.pass(61);
        assert_eq!(post.upload(), 1, "its worker is dead");
        assert_one_whole(&post, &server);
        // It was not: but it may not publish, and what it says is not recorded.
        assert!(!cdr_deliveries::keep(engine, &job).expect("an answer"));
        let sent = Sent { arrived: false, size: None, answer: "late".into(), millis: 1 };
        assert!(!cdr_deliveries::settle(engine, &job, sent).expect("an answer"));
        assert_eq!((post.last().state.as_str(), post.last().attempts), ("done", 1));
    });
}

#[test]
fn a_worker_that_lost_its_lease_while_uploading_does_not_rename() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 1);
        server.fail(&[Fault::HoldAfterStore]);
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| post.wait(post.uploader.step(&post.trade.engine)).expect("a step"));
            server.wait_held();
            post.trade.pass(61);
            assert!(cdr_deliveries::claim(&post.trade.engine, 1).expect("an answer").is_some(), "another worker takes it over");
            server.release();
            assert_eq!(slow.join().expect("the slow worker"), 1);
        });
        assert!(server.files().into_keys().all(|name| name.ends_with(".part")), "{:?}", server.files().keys());
        assert_eq!((post.last().state.as_str(), post.last().attempts), ("waiting", 0), "its attempt counts for nothing");
        post.trade.pass(61);
        post.upload();
        assert_one_whole(&post, &server);
    });
}

#[test]
fn an_account_has_one_file_under_way_and_keeps_nobody_waiting() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        due(&post, &server, 1);
        post.folder(kachi_testkit::trade::OTHER, &target(&server));
        post.trade.pass(1800);
        assert_eq!(post.make(), 1);
        let engine = &post.trade.engine;
        let first = cdr_deliveries::claim(engine, 1).expect("an answer").expect("a job");
        let second = cdr_deliveries::claim(engine, 3).expect("an answer").expect("a job");
        assert_ne!(first.account, second.account);
        assert!(cdr_deliveries::claim(engine, 5).expect("an answer").is_none(), "Acme's other file waits for its first");
    });
}

#[test]
fn private_networks_are_not_dialled_unless_they_are_allowed() {
    each(|store| {
        let (mut post, server) = (Post::new(store), Server::start());
        post.uploader.outbound = Outbound::new(Vec::new());
        due(&post, &server, 1);
        assert_eq!(post.upload(), 1);
        assert!(post.last().last_answer.expect("an answer").contains("outbound.allow"));
        assert!(server.said().is_empty());
    });
}

#[test]
fn a_wrong_password_or_folder_is_told() {
    each(|store| {
        let (post, server) = (Post::new(store), Server::start());
        let mut wrong = target(&server);
        wrong.password = "q".into();
        due(&post, &server, 1);
        post.folder(ACME, &wrong);
        post.upload();
        assert!(post.last().last_answer.expect("an answer").contains("logging in"));
        wrong.password = PASSWORD.into();
        wrong.directory = "/nowhere".into();
        post.folder(ACME, &wrong);
        post.trade.pass(5);
        post.upload();
        assert!(post.last().last_answer.expect("an answer").contains("entering the folder"));
        post.trade.engine.write(|tx, _, _| Ok(tx.drop_cdr_target(ACME)?)).expect("no folder");
        post.trade.pass(300);
        post.upload();
        assert!(post.last().last_answer.expect("an answer").contains("cdr_ftp"));
    });
}
