//! Layers, types and sentences of the configuration, a line a case.

use super::values::{Source, Values};
use super::{Config, ConfigArgs};

/// The configuration of a file's text, an environment and flags.
fn load(file: &str, environment: &[(&str, &str)], mut args: ConfigArgs) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kachi.toml");
    std::fs::write(&path, file).expect("a file");
    args.config = Some(path.clone());
    let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    let loaded = Values::gather(&args, environment).and_then(Config::from);
    // The folder's name differs each time; the sentences are compared without it.
    loaded.map_err(|e| e.replace(&path.display().to_string(), "kachi.toml"))
}

fn source(config: &Config, key: &str) -> Source {
    config.given.iter().find(|g| g.key == key).map(|g| g.source.clone()).expect("a key")
}

#[test]
fn without_anything_the_manual_holds() {
    let config = load("", &[], ConfigArgs::default()).expect("defaults");
    let settings = config.settings();
    let engine = kachi_engine::Settings::default();
    assert_eq!(settings.retry_seconds, engine.retry_seconds);
    assert_eq!((settings.late_days, settings.lines), (35, engine.lines));
    assert_eq!((settings.import_rows, settings.rate_rows), (engine.import_rows, engine.rate_rows));
    assert_eq!((settings.import_rows, settings.delivery_batch, settings.lease_seconds), (100_000, 500, 60));
    assert_eq!(settings.last_word_seconds, engine.last_word_seconds);
    assert_eq!(config.listen.web.to_string(), "127.0.0.1:8080");
    assert_eq!((config.sign.window_seconds, config.sign.lockout), (300, None));
    assert_eq!((config.database.url.as_str(), config.data_dir.to_str()), ("sqlite", Some("./data")));
    assert_eq!((config.database.connections_max, config.patience().as_secs()), (16, 30));
    assert!(config.given.iter().all(|g| g.source == Source::Default));
}

#[test]
fn a_flag_beats_the_environment_beats_the_file() {
    let file = "data_dir = \"f\"\n[listen]\nweb = \"127.0.0.1:1\"\n[usage]\nlate_days = 3";
    let environment =
        [("KACHI_LISTEN__WEB", "127.0.0.1:2"), ("KACHI_DATA_DIR", "e"), ("KACHI_TEST_POSTGRES", "x"), ("HOME", "h")];
    let args = ConfigArgs { data_dir: Some("a".into()), ..ConfigArgs::default() };
    let config = load(file, &environment, args).expect("good");
    assert_eq!((config.data_dir.to_str(), config.listen.web.port(), config.usage.late_days), (Some("a"), 2, 3));
    assert_eq!(source(&config, "data_dir"), Source::Flag("--data-dir"));
    assert_eq!(source(&config, "listen.web"), Source::Environment("KACHI_LISTEN__WEB".into()));
    assert!(matches!(source(&config, "usage.late_days"), Source::File(_)));
}

#[test]
fn values_are_read_in_every_form() {
    let environment = [
        ("KACHI_OUTBOUND__ALLOW", "[\"10.0.0.0/8\", \"::1\"]"),
        ("KACHI_CDR__WATCH", "[{dir = \"/in\", platform = \"hand\", every_seconds = 5}, {dir = \"x\", platform = \"p\"}]"),
        ("KACHI_WEBHOOKS__RETRY", "[\"0s\", \"90s\", \"2m\", \"1h\", \"1d\"]"),
        ("KACHI_SIGN__LOCKOUT", "20"),
        ("KACHI_CLOCK__TEST", "true"),
        ("KACHI_CLOCK__OFFSET_SECONDS", "-60"),
    ];
    let config = load("", &environment, ConfigArgs::default()).expect("good");
    assert_eq!(config.outbound.allow, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.webhooks.retry_seconds, [0, 90, 120, 3600, 86_400]);
    assert_eq!((config.sign.lockout, config.clock.offset_seconds), (Some(20), -60));
    let watch = &config.cdr.watch;
    assert_eq!((watch[0].platform.as_str(), watch[0].every_seconds, watch[1].every_seconds), ("hand", 5, 30));
    assert_eq!(load("[sign]\nlockout = 7", &[], ConfigArgs::default()).expect("good").sign.lockout, Some(7));
}

#[test]
fn errors_name_the_place_the_key_and_a_good_value() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let table: &[Case] = &[
        ("[limits]\npage_mx = 1", &[], "kachi.toml: there is no key limits.page_mx; did you mean limits.page_max?"),
        (
            "[wholly]\nother = 1",
            &[],
            "kachi.toml: there is no key wholly.other; `kachi config print` lists every key that has a value",
        ),
        ("datadir = \"x\"", &[], "kachi.toml: there is no key datadir; did you mean data_dir?"),
        ("[listen.web]\nport = 1", &[], "kachi.toml: listen.web must be an address and port"),
        ("limits = 5", &[], "kachi.toml: there is no key limits;"),
        (
            "",
            &[("KACHI_LIMITS__PAGE_MAXX", "1")],
            "KACHI_LIMITS__PAGE_MAXX: there is no key limits.page_maxx; did you mean limits.page_max?",
        ),
        ("[limits]\npage_max = 0", &[], "kachi.toml: limits.page_max must be a whole number from 1 to 100000, not 0"),
        ("[limits]\npage_max = \"9\"", &[], "kachi.toml: limits.page_max must be a whole number from 1 to 100000, not \"9\""),
        ("", &[("KACHI_LIMITS__PAGE_MAX", "many")], "KACHI_LIMITS__PAGE_MAX: limits.page_max must be a whole number"),
        ("[listen]\nweb = \"localhost\"", &[], "kachi.toml: listen.web must be an address and port such as"),
        ("[outbound]\nallow = \"10.0.0.0/8\"", &[], "kachi.toml: outbound.allow must be a list of networks such as"),
        (
            "[outbound]\nallow = [\"::1\", \"10.0.0.0/33\"]",
            &[],
            "kachi.toml: outbound.allow[1] must be a network such as \"10.0.0.0/8\" or \"127.0.0.1\", not \"10.0.0.0/33\"",
        ),
        ("[webhooks]\nretry = []", &[], "kachi.toml: webhooks.retry must be a list of 1 to 50 durations"),
        (
            "",
            &[("KACHI_WEBHOOKS__RETRY", "[\"0s\", \"5m\", \"5\"]")],
            "KACHI_WEBHOOKS__RETRY: webhooks.retry[2] must be a duration such as \"0s\", \"5m\" or \"2h\", 30 days at most, not \"5\"",
        ),
        ("[cdr]\nretry = [\"0s\", 5]", &[], "kachi.toml: cdr.retry[1] must be a duration such as"),
        (
            "[cdr]\nwatch = [{dir = \"y\", platform = \"p\"}, {dir = \"x\"}]",
            &[],
            "kachi.toml: cdr.watch[1] must be a folder such as {dir = \"/srv/cdr\", platform = \"hand\", every_seconds = 30}, not { dir = \"x\" }",
        ),
        ("[mqtt]\ntopics = [\"a\", \" \"]", &[], "kachi.toml: mqtt.topics[1] must be a topic such as"),
        ("[sign]\nlockout = \"never\"", &[], "kachi.toml: sign.lockout must be \"off\" or a whole number"),
        ("[log]\nformat = \"xml\"", &[], "kachi.toml: log.format must be one of text, json, not \"xml\""),
        ("[clock]\noffset_seconds = 5", &[], "kachi.toml: clock.offset_seconds must be 0 unless clock.test = true, not 5"),
        ("[log]\n\nlevel = ", &[], "kachi.toml:3: "),
        ("[mqtt]\nurl = \"broker\"", &[], "kachi.toml: mqtt.url must be mqtt://HOST[:PORT] or mqtts://"),
        ("[mqtt]\nca = \"/nowhere/ca.pem\"", &[], "kachi.toml: mqtt.ca must be a file that can be read (/nowhere/ca.pem: "),
        (
            "[mqtt]\nca = \"/dev/null\"",
            &[],
            "kachi.toml: mqtt.ca must be a file of certificates of authorities; /dev/null holds no",
        ),
        ("[mqtt]\npassword = 1234567", &[], "kachi.toml: mqtt.password must be text in quotes, not empty, not \"***\""),
        (
            "[database]\nurl = [\"postgres://u:pw@h/d\"]",
            &[],
            "kachi.toml: database.url must be text in quotes, not empty, not \"***\"",
        ),
        ("[mqtt]\ntopics = []", &[], "kachi.toml: mqtt.topics must be a list of topics such as"),
        ("[mqtt]\nreply = \"yes\"", &[], "kachi.toml: mqtt.reply must be true or false"),
        (
            "[log]\nlevel = \"warning\"",
            &[],
            "kachi.toml: log.level must be off, error, warn, info, debug or trace, or one of them",
        ),
        ("[database]\nurl = \"mysql://u:pw@h/d\"", &[], "database.url: \"mysql://u:***@h/d\" is neither sqlite, sqlite:PATH nor"),
        (
            "[listen]\ncardboss_data = \"127.0.0.1:8080\"",
            &[],
            "kachi.toml: listen.cardboss_data must be another address than listen.web, or \"off\", not \"127.0.0.1:8080\"",
        ),
        (
            "[listen]\nweb = \"0.0.0.0:8111\"",
            &[],
            "default: listen.cardboss_direct must be another address than listen.web, or \"off\", not \"127.0.0.1:8111\"",
        ),
        (
            "[cdr]\nwatch = [{dir = \"/tmp\", platform = \"a\"}, {dir = \"/tmp/../tmp/\", platform = \"b\"}]",
            &[],
            "kachi.toml: cdr.watch must be a list that names each folder once (/tmp/../tmp/ is there twice), not ",
        ),
        ("[database]\nurl_file = \"/nowhere\"", &[], "kachi.toml: database.url_file: /nowhere cannot be read"),
    ];
    for (file, environment, start) in table {
        let error = load(file, environment, ConfigArgs::default()).expect_err(start);
        assert!(error.starts_with(start), "wanted {start}\n   got {error}");
    }
}

#[test]
fn a_level_is_one_of_six_words_and_nothing_else_is_taken_for_one() {
    let load = |level: &str| load(&format!("[log]\nlevel = {level:?}"), &[], ConfigArgs::default()).map(|c| c.log.level);
    for good in ["info", "WARN", "off", "info,kachi_engine=debug", "info, kachi_engine=debug", "warn,kachi::serve=trace"] {
        assert_eq!(load(good).as_deref(), Ok(good));
    }
    for (bad, says) in [
        ("warning", "(\"warning\" is not a level: write warn)"),
        ("information", "(\"information\" is not a level: write info)"),
        ("critical", "(\"critical\" is not a level: write error)"),
        ("info kachi=debug", "(\"info kachi\" is not the name of a part)"),
        ("debug;", "(\"debug;\" is not a level)"),
        ("info,kachi=nonsense", "(\"nonsense\" is not a level)"),
        ("info,", "(\"\" is not a level)"),
    ] {
        let error = load(bad).expect_err(bad);
        assert!(error.ends_with(says), "{bad}: {error}");
    }
}

#[test]
fn listeners_that_do_not_meet_are_good() {
    for listen in [
        "web = \"127.0.0.1:0\"\ncardboss_data = \"127.0.0.1:0\"\ncardboss_direct = \"127.0.0.1:0\"",
        "web = \"127.0.0.1:9011\"\ncardboss_data = \"127.0.0.2:9011\"",
        "web = \"127.0.0.1:9011\"\ncardboss_data = \"[::1]:9011\"",
        "web = \"127.0.0.1:9011\"\ncardboss_data = \"off\"",
    ] {
        load(&format!("[listen]\n{listen}"), &[], ConfigArgs::default()).expect(listen);
    }
}

#[test]
fn a_secret_may_lie_in_a_file_and_is_never_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://kachi:s3cret@db/kachi\n").expect("a file");
    let file = format!("[database]\nurl_file = {:?}", path.display().to_string());
    let config = load(&file, &[], ConfigArgs::default()).expect("good");
    assert_eq!(config.database.url, "postgres://kachi:s3cret@db/kachi");
    // A flag is over the file, whichever of the two keys the file used.
    let args = ConfigArgs { database_url: Some("postgres://u:pw@h/d".into()), ..ConfigArgs::default() };
    let config = load(&file, &[], args).expect("good");
    assert_eq!(config.database.url, "postgres://u:pw@h/d");
    let secret = "[mqtt]\nurl = \"mqtt://u:s3cret@b\"\nusername = \"v\"\npassword = \"pa55\"";
    let broker = load(secret, &[], ConfigArgs::default()).expect("good");
    let shown = broker.given.iter().map(|g| super::inline(&g.value)).collect::<String>();
    assert!(shown.contains("mqtt://u:***@b") && !shown.contains("s3cret") && !shown.contains("pa55"), "{shown}");
    assert_eq!(
        broker.mqtt.map(|m| (m.address.to_string(), m.credentials)),
        Some(("mqtt://b:1883".into(), Some(("v".into(), "pa55".into()))))
    );
    let shown = config.given.iter().map(|g| super::inline(&g.value)).collect::<String>();
    assert!(shown.contains("postgres://u:***@h/d") && !shown.contains("pw"), "{shown}");
}
