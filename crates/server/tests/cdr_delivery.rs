//! CDR files to customers with the built binary: the folder comes by `kachi apply`, the server is killed at the worst
//! moments, and files are sent again by hand.

#[macro_use]
mod common;

use common::{House, Server, iccid, now, until};
use kachi_testkit::ftp::{self, Fault, PASSWORD};
use serde_json::Value;

on_both!(
    killed_between_upload_and_commit,
    killed_between_upload_and_rename,
    an_upload_that_takes_long_keeps_its_lease,
    a_folder_is_applied_and_taken_away,
    the_log_says_of_a_file_whether_it_is_tried_again,
    the_doctor_names_customers_whose_files_fail_while_they_are_tried_again,
);

/// The half hour that the servers of these tests see pass: the next one.
fn slot() -> i64 {
    now() - now() % 1800 + 1800
}

fn world(folder: &str) -> String {
    let card = iccid(0);
    format!(
        "accounts:\n  - {{code: acme, id: 10001, currency: USD, cdr_ftp: {folder}}}\nplatforms:\n  - {{code: hand, connector: manual}}\n\
         products:\n  - {{code: US, name: US, platform: hand}}\nsims:\n  - {{iccid: \"{card}\", product: US, account: acme, state: active}}\n"
    )
}

fn folder(of: &ftp::Server) -> String {
    format!("{{host: 127.0.0.1, port: {}, user: u, password: {PASSWORD}, directory: /upload}}", of.address.port())
}

/// An account with a folder, and a record that is due at the slot.
fn furnish(house: &House, files: &ftp::Server, slot: i64) {
    house.apply(&world(&folder(files)));
    let utc = kachi_domain::Zone::find("UTC").expect("a zone");
    let text = |at| utc.text(kachi_domain::Timestamp(at));
    let line = format!("7,{},{},{},460001234567890,42,867530912345678,31026\n", text(slot - 3660), text(slot - 3600), iccid(0));
    house.write("in.csv", &line);
    house.done(&["import", "cdr", "in.csv", "--platform", "hand"]);
}

/// A server that finds itself a minute after the slot.
fn serve(house: &House, slot: i64) -> Server {
    serve_trying(house, slot, r#"["0s", "5s", "5m"]"#)
}

/// The same with a schedule of its own.
fn serve_trying(house: &House, slot: i64, retry: &str) -> Server {
    let offset = (slot + 60 - now()).to_string();
    house.serve(&[
        ("KACHI_CDR__RETRY", retry),
        ("KACHI_CLOCK__TEST", "true"),
        ("KACHI_CLOCK__OFFSET_SECONDS", &offset),
        ("KACHI_LIMITS__LEASE_SECONDS", "5"),
        ("KACHI_LOG__LEVEL", "info,suppaftp=trace"),
        ("KACHI_OUTBOUND__ALLOW", "[\"127.0.0.1\"]"),
    ])
}

fn deliveries(house: &House) -> Vec<Value> {
    house.done(&["admin", "cdr", "list", "--json"]).json().as_array().expect("a list").clone()
}

/// Killed while the file server holds its answer; started again, it ends in exactly one whole file.
fn killed_while_held(house: &House, fault: Fault) {
    let (files, slot) = (ftp::Server::start(), slot());
    furnish(house, &files, slot);
    files.fail(&[fault]);
    let server = serve(house, slot);
    files.wait_held();
    assert_eq!(deliveries(house)[0]["state"], "waiting");
    server.kill();
    let server = serve(house, slot);
    let done = until("the file is delivered", || deliveries(house).into_iter().find(|d| d["state"] == "done"));
    let there = files.files();
    assert_eq!(there.len(), 1, "{:?}", there.keys());
    let (name, content) = there.first_key_value().expect("a file");
    assert_eq!(done["file"].as_str(), Some(name.as_str()));
    assert_eq!(Some(content.len() as i64), done["bytes"].as_i64());
    let text = String::from_utf8(content.clone()).expect("UTF-8");
    assert!(text.ends_with("\n") && text.lines().nth(1).is_some_and(|l| l.starts_with("7,") && l.contains(",42,")), "{text}");
    assert_eq!(deliveries(house).len(), 1, "one delivery");
    // Sent again by hand.
    files.set(&[]);
    let id = done["id"].to_string();
    assert_eq!(house.run(&["admin", "cdr", "resend", "99"], &[]).code, 1);
    house.done(&["admin", "cdr", "resend", &id, "--account", "acme"]);
    until("it is sent again", || (files.files() == there).then_some(()));
    until("it is settled", || (deliveries(house)[0]["state"] == "done").then_some(()));
    let shown = house.done(&["admin", "cdr", "show", &id, "--json"]).json();
    assert_eq!(shown["attempts"].as_array().expect("a list").len(), 2, "{shown}");
    assert!(!server.log().contains(PASSWORD), "the log keeps passwords out:\n{}", server.log());
    server.stop();
    house.assert_sound();
}

fn killed_between_upload_and_commit(house: &House) {
    killed_while_held(house, Fault::HoldAfterRename);
}

fn killed_between_upload_and_rename(house: &House) {
    killed_while_held(house, Fault::HoldAfterStore);
}

fn an_upload_that_takes_long_keeps_its_lease(house: &House) {
    let (files, slot) = (ftp::Server::start(), slot());
    furnish(house, &files, slot);
    files.fail(&[Fault::HoldAfterStore]);
    let server = serve(house, slot);
    files.wait_held();
    let later = now() + 8;
    until("its lease of 5 s would have run out", || (now() >= later).then_some(()));
    files.release();
    let done = until("the file is delivered", || deliveries(house).into_iter().find(|d| d["state"] == "done"));
    assert_eq!(done["attempts"], 1, "{done}");
    assert_eq!(files.said().iter().filter(|c| c.starts_with("STOR")).count(), 1, "{:?}", files.said());
    server.stop();
}

fn the_log_says_of_a_file_whether_it_is_tried_again(house: &House) {
    let (files, slot) = (ftp::Server::start(), slot());
    furnish(house, &files, slot);
    files.fail(&[Fault::RefuseRename, Fault::RefuseRename]);
    let server = serve_trying(house, slot, r#"["0s", "0s"]"#);
    until("it is dead", || deliveries(house).into_iter().find(|d| d["state"] == "dead"));
    let log = server.stop();
    let doctor = house.run(&["admin", "doctor"], &[]);
    assert!(doctor.code == 1 && !doctor.out.contains("failed more than once"), "a dead one is not tried again: {doctor:?}");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the CDR file was not delivered")).collect();
    assert!(told.len() == 2 && told[0].contains("it is tried again by schedule"), "{told:#?}");
    assert!(told[1].contains("is dead: its schedule is used up; `kachi admin cdr resend` sends it again file="), "{told:#?}");
}

fn the_doctor_names_customers_whose_files_fail_while_they_are_tried_again(house: &House) {
    let (files, slot) = (ftp::Server::start(), slot());
    furnish(house, &files, slot);
    files.fail(&[Fault::RefuseRename, Fault::RefuseRename]);
    let server = serve_trying(house, slot, r#"["0s", "0s", "1h"]"#);
    until("it failed twice", || deliveries(house).into_iter().find(|d| d["attempts"] == 2));
    server.stop();
    let doctor = house.run(&["admin", "doctor"], &[]);
    let words = "1 CDR files to acme failed more than once and are tried again: ";
    assert!(doctor.code == 1 && doctor.out.contains(words) && doctor.out.contains("admin cdr list --account acme"), "{doctor:?}");
}

fn a_folder_is_applied_and_taken_away(house: &House) {
    let good = "{host: ftp.example.com, user: u, password: tr0ub4dor, directory: /upload}";
    house.apply(&world(good));
    let again = house.done(&["apply", "world.yaml"]);
    assert!(again.out.contains("nothing changed"), "{again:?}");
    let key = format!("SHA256:{}", "A".repeat(43));
    let sftp = format!("{{protocol: sftp, host: ftp.example.com, user: u, password: tr0ub4dor, fingerprint: \"{key}\"}}");
    house.write("world.yaml", &world(&sftp));
    let changed = house.done(&["apply", "world.yaml"]);
    assert!(changed.out.contains("~ cdr_ftp acme: protocol, port, directory, fingerprint"), "{changed:?}");
    assert!(!changed.out.contains("tr0ub4dor"));
    house.write("world.yaml", &world("{protocol: ftps, tls: implicit, host: ftp.example.com, user: u, password: tr0ub4dor}"));
    let changed = house.done(&["apply", "world.yaml"]);
    assert!(changed.out.contains("~ cdr_ftp acme: protocol, port, fingerprint"), "{changed:?}");
    let wrong = [
        ("{host: ftp.example.com}", "cdr_ftp.user"),
        ("{user: u}", "cdr_ftp.host"),
        ("{host: h, user: u, port: 0}", "cdr_ftp.port"),
        ("{host: h, user: u, protocol: scp}", "cdr_ftp.protocol"),
        ("{host: h, user: u, protocol: ftps_implicit}", "cdr_ftp.protocol"),
        ("{host: h, user: u, protocol: ftps, tls: none}", "cdr_ftp.tls"),
        ("{host: h, user: u, tls: implicit}", "cdr_ftp.tls"),
        ("{host: h, user: \"u\\r\\nDELE x\"}", "cdr_ftp.user"),
        ("{host: h, user: u, protocol: sftp}", "cdr_ftp.fingerprint"),
        ("{host: h, user: u, protocol: ftps, fingerprint: abc}", "cdr_ftp.fingerprint"),
        ("{host: h, user: u, protocol: sftp, private_key_file: world.yaml}", "cdr_ftp.private_key_file"),
        ("{host: h, user: u, pasword: p}", "pasword"),
    ];
    for (folder, place) in wrong {
        house.write("wrong.yaml", &world(folder));
        let refused = house.run(&["apply", "wrong.yaml"], &[]);
        assert!(refused.code == 1 && refused.err.contains(place), "{folder}: {refused:?}");
    }
    house.write("world.yaml", &world("{}"));
    let gone = house.done(&["apply", "world.yaml"]);
    assert!(gone.out.contains("~ cdr_ftp acme: taken away"), "{gone:?}");
}
