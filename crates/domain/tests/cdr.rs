//! CDR files: what each line becomes, and that blocks, line ends and resuming change nothing.

use kachi_domain::cdr::{
    BAD_TEXT_CHARS_MAX, Feed, FileName, LINE_BYTES_MAX, Line, Position, RECORD_BYTES_MAX, Reader, write_record,
};
use kachi_domain::ids::Iccid;
use kachi_domain::time::{Timestamp, Zone};
use kachi_domain::usage::CdrRecord;
use proptest::prelude::*;

/// `{T}` stands for two good times, `{C}` for a good card. An outcome is `skip`, `bad ` and the reason, or
/// `ok ` and id, iccid, imsi, bytes, imei, mccmnc. Lines marked `<` are last lines without LF.
const CASES: &str = r#"
1,{T},{C},460040000000001,2048,861234567890123,46004 | ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004
1,{T},898604293620c0000970,460040000000001,2048,861234567890123,46004 | ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004
1,{T},{C},,0,, | ok 1 898604293620C0000970 0 0 0 0
1,{T},{C},460040000000001,2048,861234567890123,46004\r | ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004
1,{T},{C},,5,,310410 | ok 1 898604293620C0000970 0 5 0 310410
1,{T},{C},,5,,00101 | ok 1 898604293620C0000970 0 5 0 101
-9223372036854775808,{T},{C},,5,, | ok -9223372036854775808 898604293620C0000970 0 5 0 0
9223372036854775807,{T},{C},,5,, | ok 9223372036854775807 898604293620C0000970 0 5 0 0
0000000000000000000000007,{T},{C},,000000000000000000000000005,, | ok 7 898604293620C0000970 0 5 0 0
1,{T},{C},,281474976710656,, | ok 1 898604293620C0000970 0 281474976710656 0 0
1,{T},{C},1,5,86123456789012,46004 | ok 1 898604293620C0000970 1 5 86123456789012 46004
1,{T},{C},1,5,8612345678901234,46004 | ok 1 898604293620C0000970 1 5 8612345678901234 46004
1,2028-02-29 23:59:59,2028-02-29 23:59:59,{C},,5,, | ok 1 898604293620C0000970 0 5 0 0
"1","2026-01-01 00:00:00","2026-01-01 00:30:00","{C}","460040000000001","2048","861234567890123","46004" | ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004
 1 ,\t2026-01-01 00:00:00, 2026-01-01 00:30:00 , {C} , , " 5 " ,"", 46004 \r | ok 1 898604293620C0000970 0 5 0 46004
1,{T},{C},,5,,46004,more,"a, ""b""", | ok 1 898604293620C0000970 0 5 0 46004
1,{T},{C},,5,,, | ok 1 898604293620C0000970 0 5 0 0
 | skip
\r | skip
 \t | skip
id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc | bad id: id is not a 64-bit integer
< 1,{T},{C},,5,,46004 | ok 1 898604293620C0000970 0 5 0 46004
< 1,{T},{C},,5,,310410 | ok 1 898604293620C0000970 0 5 0 310410
< 1,{T},{C},,5,,46004,more | ok 1 898604293620C0000970 0 5 0 46004
< 1,{T},{C},,5,,"46004" | ok 1 898604293620C0000970 0 5 0 46004
< 1,{T},{C},,5,,460 | bad file ends in this line, and nothing shows that it is whole: get the whole file, or end the line with a line break if nothing is missing
< 1,{T},{C},,5,, | bad file ends in this line, and nothing shows that it is whole: get the whole file, or end the line with a line break if nothing is missing
< 1,{T},{C},,5, | bad file ends in the middle of this line, in column 7 of 8: get the whole file
< 1,2026-01-0 | bad file ends in the middle of this line, in column 2 of 8: get the whole file
< 1,{T},{C},,5,,"46004 | bad file ends in the middle of this line, in column 8 of 8: get the whole file
< 1,{T},{C},,5,,46004,"mo | bad file ends in the middle of this line, in column 9 of 9: get the whole file
< 1,{T},{C},,5,,"46004"x | bad text after a closing quote
1,{T},{C},,5,,"46004 | bad a quote is not closed
1,{T},{C},,5, | bad 7 columns instead of 8: write id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc, an empty one too
abc | bad 1 columns instead of 8: write id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc, an empty one too
1;2;3;4;5;6;7;8 | bad 1 columns instead of 8: they are parted by semicolons; write commas
1\t2\t3\t4\t5\t6\t7\t8 | bad 1 columns instead of 8: they are parted by tabs; write commas
1,{T},{C},,2,048,,46004 | bad imei: 048 is not empty or 14 to 16 digits (9 columns instead of 8: take out the comma that is too many, or put its value in double quotes)
,{T},{C},,5,, | bad id: empty, must be a 64-bit integer
x1,{T},{C},,5,, | bad id: x1 is not a 64-bit integer
+1,{T},{C},,5,, | bad id: +1 is not a 64-bit integer
1.0,{T},{C},,5,, | bad id: 1.0 is not a 64-bit integer
9223372036854775808,{T},{C},,5,, | bad id: 9223372036854775808 is not a 64-bit integer
\u{feff}1,{T},{C},,5,, | bad id: \u{feff}1 is not a 64-bit integer
1,2026-02-30 00:00:00,2026-03-01 00:00:00,{C},,5,, | bad start_time: 2026-02-30 00:00:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-02-29 00:00:00,2026-03-01 00:00:00,{C},,5,, | bad start_time: 2026-02-29 00:00:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-01-01 00:00:00,2026-01-01 25:61:00,{C},,5,, | bad stop_time: 2026-01-01 25:61:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-01-01 00:00:00,2026-01-01 24:00:00,{C},,5,, | bad stop_time: 2026-01-01 24:00:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-01-01 00:00:00,2026-01-01 23:59:60,{C},,5,, | bad stop_time: 2026-01-01 23:59:60 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-01-01T00:00:00,2026-01-01 00:30:00,{C},,5,, | bad start_time: 2026-01-01T00:00:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-00-01 00:00:00,2026-01-01 00:30:00,{C},,5,, | bad start_time: 2026-00-01 00:00:00 is not a time that exists, written yyyy-MM-dd HH:mm:ss
1,,2026-01-01 00:30:00,{C},,5,, | bad start_time: empty, must be a time that exists, written yyyy-MM-dd HH:mm:ss
1,2026-01-01 00:30:00,2026-01-01 00:29:59,{C},,5,, | bad stop_time: 2026-01-01 00:29:59 is before start_time 2026-01-01 00:30:00
1,{T},89860429362,,5,, | bad iccid: 89860429362 is not 18 to 22 hexadecimal digits
1,{T},898604293620G0000970,,5,, | bad iccid: 898604293620G0000970 is not 18 to 22 hexadecimal digits
1,{T},89860429362000009700000,,5,, | bad iccid: 89860429362000009700000 is not 18 to 22 hexadecimal digits
1,{T},,,5,, | bad iccid: empty, must be 18 to 22 hexadecimal digits
1,{T},{C},4600400000000012,5,, | bad imsi: 4600400000000012 is not empty or up to 15 digits
1,{T},{C},46004x,5,, | bad imsi: 46004x is not empty or up to 15 digits
1,{T},{C},,-5,, | bad data_usage: -5 is negative
1,{T},{C},,,, | bad data_usage: empty, must be a whole number of bytes
1,{T},{C},,1.5,, | bad data_usage: 1.5 is not a whole number of bytes
1,{T},{C},,9223372036854775808,, | bad data_usage: 9223372036854775808 is more than 9223372036854775807 bytes
1,{T},{C},,9223372036854775807,, | bad data_usage: 9223372036854775807 is more than 281474976710656 bytes, the most the engine rates in one record
1,{T},{C},,281474976710657,, | bad data_usage: 281474976710657 is more than 281474976710656 bytes, the most the engine rates in one record
1,{T},{C},,5,8612345678901,46004 | bad imei: 8612345678901 is not empty or 14 to 16 digits
1,{T},{C},,5,86123456789012345,46004 | bad imei: 86123456789012345 is not empty or 14 to 16 digits
1,{T},{C},,5,+8612345678901,46004 | bad imei: +8612345678901 is not empty or 14 to 16 digits
1,{T},{C},,5,,4600 | bad mccmnc: 4600 is not empty or 5 to 6 digits
1,{T},{C},,5,,4600401 | bad mccmnc: 4600401 is not empty or 5 to 6 digits
1,{T},{C},,5,,"46004"x | bad text after a closing quote
1,{T},{C},,5,,46004,\0 | bad NUL at byte 74
"#;

/// What is said of a last line that may have been cut right where it ends.
const UNSURE: &str = "file ends in this line, and nothing shows that it is whole: get the whole file, or end the line with a line break if nothing is missing";

const TIMES: &str = "2026-01-01 00:00:00,2026-01-01 00:30:00";
const CARD: &str = "898604293620C0000970";
const HEADER: &str = "id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc";

fn good(id: i64) -> String {
    format!("{id},{TIMES},{CARD},460040000000001,2048,861234567890123,46004")
}

fn told(line: Line<'_>) -> String {
    match line {
        Line::Skip => "skip".into(),
        Line::Bad(bad) => format!("bad {}", bad.reason),
        Line::Record(r) => format!("ok {} {} {} {} {} {}", r.source_id, r.iccid(), r.imsi, r.bytes, r.imei, r.mccmnc),
    }
}

/// Every line's fate, by blocks of the given sizes in turn.
fn read(file: &[u8], sizes: &[usize]) -> (Vec<String>, Position) {
    let (mut feed, mut fates, mut rest) = (Feed::new(), Vec::new(), file);
    let mut each = |line: Line<'_>| fates.push(format!("{line:?}"));
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (block, after) = rest.split_at(rest.len().min((*size).max(1)));
        feed.block(block, &mut each);
        rest = after;
    }
    let end = feed.finish(&mut each);
    (fates, end)
}

fn outcomes(file: &str) -> Vec<String> {
    let (mut feed, mut fates) = (Feed::new(), Vec::new());
    feed.block(file.as_bytes(), &mut |line| fates.push(told(line)));
    feed.finish(&mut |line| fates.push(told(line)));
    fates
}

#[test]
fn each_line_has_its_fate() {
    let mut cases = 0;
    for case in CASES.lines().filter(|l| !l.is_empty()) {
        let (input, outcome) = case.rsplit_once(" | ").or_else(|| case.split_once("| ")).expect(case);
        let written = |text: &str| {
            let text = text.replace("{T}", TIMES).replace("{C}", CARD);
            text.replace("\\r", "\r").replace("\\t", "\t").replace("\\0", "\0").replace("\\u{feff}", "\u{feff}")
        };
        let mut reader = Reader::new();
        reader.line(HEADER.as_bytes());
        let (found, line) = match input.strip_prefix("< ") {
            Some(last) => (told(reader.last_line(written(last).as_bytes())), written(last)),
            None => (told(reader.line(written(input).as_bytes())), written(input)),
        };
        assert_eq!(found, written(outcome), "{line:?}");
        cases += 1;
    }
    assert!(cases >= 60, "{cases}");
}

#[test]
fn times_are_utc() {
    let mut reader = Reader::new();
    let line = good(1);
    let Line::Record(record) = reader.line(line.as_bytes()) else { panic!() };
    assert_eq!(record.start, Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap());
    assert_eq!(record.stop, record.start.plus(1800));
    assert_eq!(record.to_record().iccid, Iccid::parse(CARD).unwrap());
}

#[test]
fn a_bad_line_tells_where_and_what() {
    let mut reader = Reader::new();
    reader.line(good(1).as_bytes());
    reader.line(b"");
    let Line::Bad(bad) = reader.line(b"9,caf\xe9\0") else { panic!() };
    assert_eq!((bad.line, bad.reason.as_str(), bad.text.as_str()), (3, "NUL at byte 7", "9,caf\u{fffd}\u{fffd}"));
    let Line::Bad(bad) = reader.line(b"9,caf\xe9") else { panic!() };
    assert_eq!(bad.reason, "not UTF-8 at byte 6");
    let wide = format!("9,{TIMES},{}", "\u{1F4F6}".repeat(1000));
    let Line::Bad(bad) = reader.line(wide.as_bytes()) else { panic!() };
    assert!(bad.text.chars().count() == BAD_TEXT_CHARS_MAX && !bad.text.contains('\u{fffd}'));
    let value = format!("9,{TIMES},{},,,,", "9".repeat(1000));
    let Line::Bad(bad) = reader.line(value.as_bytes()) else { panic!() };
    assert_eq!(bad.reason, format!("iccid: {}... is not 18 to 22 hexadecimal digits", "9".repeat(40)));
}

#[test]
fn a_line_has_at_most_4096_bytes_however_it_arrives() {
    for (extra, fits) in [(0, true), (1, false), (2, false), (3, false), (4, false), (5, false), (20_000, false)] {
        for (before, after) in [("", "\n"), ("", "\r\n"), ("\u{feff}", "\n"), ("\u{feff}", "\r\n")] {
            let line = format!("{},", good(1));
            let filler = "x".repeat(LINE_BYTES_MAX - line.len() + extra);
            let file = format!("{before}{line}{filler}{after}{}\n", good(2));
            let whole = read(file.as_bytes(), &[usize::MAX]);
            assert_eq!(whole.0[0].starts_with("Record"), fits, "{extra} {before:?} {after:?} {}", whole.0[0]);
            assert!(whole.0[1].starts_with("Record"));
            assert_eq!(whole.1, Position { offset: file.len() as u64, line: 2 });
            assert_eq!(read(file.as_bytes(), &[1]), whole);
            assert_eq!(read(file.as_bytes(), &[1000]), whole);
        }
    }
}

#[test]
fn a_header_is_the_first_line_with_anything_on_it() {
    let ok = "ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004";
    for header in [
        HEADER,
        "ID,startTime,stopTime,ICCID,IMSI,dataUsage,IMEI,MCCMNC",
        "\u{feff}\"Id\", Start Time,stop-time,iccid,imsi,\
        data_usage (bytes),imei,mcc_mnc,operator",
    ] {
        assert_eq!(outcomes(&format!("{header}\n{}\n", good(1))), ["skip", ok], "{header}");
        assert_eq!(
            outcomes(&format!("\u{feff}\r\n\n{}\r\n{}\n", header.trim_start_matches('\u{feff}'), good(1))),
            ["skip", "skip", "skip", ok]
        );
    }
    assert_eq!(outcomes(&format!("\u{feff}{}\n{HEADER}\n", good(1))), [ok, "bad id: id is not a 64-bit integer"]);
    assert_eq!(outcomes(HEADER), ["skip"]);
    assert_eq!(outcomes(""), [""; 0]);
    let short = outcomes(&format!("id,start_time,stop_time,iccid,imsi,data_usage (KB),imei,mccmnc\n{}\n", good(1)));
    assert_eq!(short, ["bad header has no column data_usage"; 2]);
    let twice = outcomes(&format!("{HEADER},ICCID\n{}\n", good(1)));
    assert_eq!(twice, ["bad header names the column iccid more than once"; 2]);
}

#[test]
fn a_file_that_is_no_text_is_one_bad_line_that_says_what_it_is_and_what_to_do() {
    let text = format!("{HEADER}\n{}\n{}\n", good(1), good(2));
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
    let table: [(&[u8], &[u8], &str); 8] = [
        (b"\x1f\x8b\x08\0\0\n\0\0\n", text.as_bytes(), "compressed with gzip: unpack it (`gunzip`)"),
        (b"\x28\xb5\x2f\xfd", text.as_bytes(), "compressed with zstd: unpack it (`unzstd`)"),
        (b"\xfd7zXZ\0", text.as_bytes(), "compressed with xz: unpack it (`unxz`)"),
        (b"PK\x03\x04", text.as_bytes(), "a ZIP archive, as XLSX sheets are: unpack it, or save the sheet as CSV (UTF-8)"),
        (b"\xff\xfe", &little, "UTF-16: save it as CSV (UTF-8)"),
        (b"\xfe\xff", &big, "UTF-16: save it as CSV (UTF-8)"),
        (b"", &little, "UTF-16LE: save it as CSV (UTF-8)"),
        (b"", &big, "UTF-16BE: save it as CSV (UTF-8)"),
    ];
    for (begin, rest, words) in table {
        let file = [begin, rest].concat();
        for sizes in [&[usize::MAX][..], &[1], &[7, 3]] {
            let (fates, _) = read(&file, sizes);
            let (told, more) = fates.split_first().expect("a line");
            let is_told = told.starts_with(&format!("Bad(BadLine {{ line: 1, reason: \"file is {words}"));
            assert!(is_told && told.contains(" take in ") && told.ends_with(", text: \"\" })"), "{told}");
            assert!(more.iter().all(|fate| fate == "Skip"), "{more:?}");
        }
    }
    for text in ["PK\n", "1\0,2\n", "\0\0\0\0\n"] {
        assert!(outcomes(text).iter().all(|fate| !fate.starts_with("bad file is")), "{text:?}");
    }
}

#[test]
fn a_file_whose_lines_end_with_cr_alone_is_one_bad_line_that_says_so() {
    for (header, lines) in [(HEADER, 1), (HEADER, 200), ("", 2)] {
        let file = format!("{header}\n{}", (1..=lines).map(|n| good(n) + "\n").collect::<String>()).replace('\n', "\r");
        for sizes in [&[usize::MAX][..], &[1], &[7, 3]] {
            let (fates, _) = read(file.as_bytes(), sizes);
            let says = "reason: \"lines end with CR alone: save the file with LF or CRLF";
            assert!(fates.len() == 1 && fates[0].contains(says), "{fates:?}");
        }
    }
}

#[test]
fn a_header_may_name_the_columns_in_another_order() {
    let header = "operator,mccmnc,imei,dataUsage,imsi,iccid,stopTime,startTime,id,note\n";
    let line = format!("cm,46004,861234567890123,2048,460040000000001,{CARD},2026-01-01 00:30:00,2026-01-01 00:00:00,1");
    let ok = "ok 1 898604293620C0000970 460040000000001 2048 861234567890123 46004";
    assert_eq!(outcomes(&format!("{header}{line}\n{line},\n{line},a,b")), ["skip", ok, ok, ok]);
    // The id could be the beginning of a longer one.
    assert_eq!(outcomes(&format!("{header}{line}")), ["skip", &format!("bad {UNSURE}")]);
    let few = "bad 3 columns instead of 9: write every column that the header names, an empty one too";
    assert_eq!(outcomes(&format!("{header}cm,46004,86\n")), ["skip", few]);
    assert_eq!(
        outcomes(&format!("{header}cm,46004,86")),
        ["skip", "bad file ends in the middle of this line, in column 3 of 10: get the whole file"]
    );
    // A column that the header names is none too many, in whatever order.
    let wrong = "bad id: 1x is not a 64-bit integer";
    let many =
        format!("{wrong} (11 columns instead of 10: take out the comma that is too many, or put its value in double quotes)");
    assert_eq!(outcomes(&format!("{header}{line}x,note\n{line}x,no,te\n")), ["skip", wrong, &many]);
    assert_eq!(outcomes(&format!("{HEADER},operator\n{},cm\n", good(1).replace("1,2026", "1x,2026"))), ["skip", wrong]);
}

#[test]
fn a_file_name_tells_account_and_window() {
    let utc = Zone::find("UTC").unwrap();
    for account in ["acme", "acme_north_2", "10001"] {
        let text = format!("cdr_{account}_20260131233000_20260201003000_20260201010000.csv");
        let name = FileName::parse(&format!("/in/{account}/{text}")).unwrap();
        assert_eq!(name.account, account);
        assert_eq!(name.start, utc.parse("2026-01-31 23:30:00").unwrap());
        assert_eq!(name.end.since(name.start), 3600);
        assert_eq!(name.generated.since(name.end), 1800);
        assert_eq!(name.to_string(), text);
    }
    for (name, why) in [
        ("usage.csv", "it does not begin with cdr_"),
        ("cdr_a_20260131233000_20260201003000_20260201010000.txt", "it does not end in .csv"),
        ("cdr_a_20260231233000_20260201003000_20260201010000.csv", "start \"20260231233000\" is not a time yyyyMMddHHmmss"),
        ("cdr_20260131233000_20260201003000_20260201010000.csv", "it names no account"),
        ("cdr_a_20260131233000_20260130003000_20260201010000.csv", "end is before start"),
        ("cdr_a_2026_20260201010000.csv", "end \"2026\" is not a time yyyyMMddHHmmss"),
    ] {
        assert!(FileName::parse(name).unwrap_err().ends_with(why), "{name}: {:?}", FileName::parse(name));
    }
}

#[test]
fn what_is_written_keeps_leading_zeros_of_an_imei() {
    for (written, read) in [("012345678901234", 12345678901234), ("86123456789012", 86123456789012), ("", 0)] {
        let line = format!("1,{TIMES},{CARD},,5,{written},00101\n");
        let mut reader = Reader::new();
        let Line::Record(record) = reader.line(line.trim_end().as_bytes()) else { panic!() };
        assert_eq!(record.imei, read);
        let mut out = Vec::new();
        write_record(&mut out, &record.to_record());
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}

prop_compose! {
    fn records()(
        source_id in any::<i64>(),
        start in -62_167_219_200i64..253_402_300_000,
        seconds in 0i64..800,
        iccid in "[0-9A-Fa-f]{18,22}",
        imsi in 0i64..1_000_000_000_000_000,
        bytes in prop_oneof![0..=RECORD_BYTES_MAX, 0..10_000_000i64],
        imei in prop_oneof![Just(0), 1i64..10_000_000_000_000_000],
        mccmnc in prop_oneof![Just(0), 101i64..1_000_000],
    ) -> CdrRecord {
        let start = Timestamp(start);
        CdrRecord { source_id, start, stop: start.plus(seconds), iccid: Iccid::parse(&iccid).unwrap(), imsi, bytes, imei, mccmnc }
    }
}

/// Lines good, bad, blank and odd.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => records().prop_map(|r| { let mut out = Vec::new(); write_record(&mut out, &r); out.pop(); out }),
        1 => any::<i64>().prop_map(|id| good(id).into_bytes()),
        1 => Just(good(3).replace(',', " , ").into_bytes()),
        1 => (0usize..90).prop_map(|n| { let mut l = good(1).into_bytes(); l.truncate(n); l }),
        1 => Just(HEADER.as_bytes().to_vec()),
        1 => Just(b"id,stop_time,start_time,iccid,imsi,data_usage,imei,mccmnc,x".to_vec()),
        1 => Just(Vec::new()),
        1 => (4000usize..4200).prop_map(|n| vec![b'7'; n]),
        1 => "[-+0-9 :,\"a-f\t\u{feff}]{0,100}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>().prop_filter("no line end", |b| !matches!(b, b'\n' | b'\r')), 0..60),
    ]
}

fn join(lines: &[Vec<u8>], end: &[u8]) -> Vec<u8> {
    lines.iter().flat_map(|l| [l.as_slice(), end].concat()).collect()
}

proptest! {
    #[test]
    fn blocks_change_nothing(lines in prop::collection::vec(lines(), 0..12), cut in 0usize..40, sizes in prop::collection::vec(1usize..300, 1..8)) {
        let mut file = join(&lines, b"\n");
        file.truncate(file.len().saturating_sub(cut));
        let whole = read(&file, &[usize::MAX]);
        prop_assert_eq!(whole.1.offset, file.len() as u64);
        prop_assert_eq!(&read(&file, &sizes), &whole);
        prop_assert_eq!(&read(&file, &[1]), &whole);
    }

    #[test]
    fn reading_may_go_on_at_any_line(lines in prop::collection::vec(lines(), 1..12), at in any::<prop::sample::Index>()) {
        let file = join(&lines, b"\n");
        let (whole, end) = read(&file, &[usize::MAX]);
        let (mut feed, mut fates) = (Feed::new(), Vec::new());
        feed.block(&file[..at.index(file.len())], &mut |line| fates.push(format!("{line:?}")));
        let at = feed.position();
        prop_assert_eq!(fates.len() as u64, at.line);
        let mut feed = Feed::resume(&file, at);
        feed.block(&file[at.offset as usize..], &mut |line| fates.push(format!("{line:?}")));
        prop_assert_eq!(feed.finish(&mut |_| ()), end);
        prop_assert_eq!(fates, whole);
    }

    #[test]
    fn crlf_and_bom_change_nothing(lines in prop::collection::vec(lines(), 0..12)) {
        let lf = read(&join(&lines, b"\n"), &[usize::MAX]).0;
        prop_assert_eq!(&read(&join(&lines, b"\r\n"), &[usize::MAX]).0, &lf);
        let bom = lines.first().is_some_and(|l| l.starts_with("\u{feff}".as_bytes()));
        if !bom {
            prop_assert_eq!(&read(&["\u{feff}".as_bytes(), &join(&lines, b"\n")].concat(), &[usize::MAX]).0[..lf.len()], &lf[..]);
        }
    }

    #[test]
    fn a_record_comes_back(record in records()) {
        let mut out = Vec::new();
        write_record(&mut out, &record);
        let line = out.strip_suffix(b"\n").unwrap();
        let quoted = format!("\"{}\"", std::str::from_utf8(line).unwrap().replace(',', "\",\""));
        let mut reader = Reader::new();
        for line in [line, quoted.as_bytes()] {
            match reader.line(line) {
                Line::Record(read) => prop_assert_eq!(read.to_record(), record.clone()),
                other => prop_assert!(false, "{:?} {:?}", other, String::from_utf8_lossy(line)),
            }
        }
    }

    #[test]
    fn plain_and_quoted_lines_read_alike(fields in prop::collection::vec("[-0-9 :A-G]{0,23}", 8), change in 0usize..9) {
        let line = good(1);
        let mut values: Vec<_> = line.split(',').collect();
        if let Some(value) = values.get_mut(change) {
            *value = &fields[change];
        }
        let (plain, quoted) = (values.join(","), format!("\"{}\"", values.join("\",\"")));
        let mut reader = Reader::new();
        reader.line(HEADER.as_bytes());
        prop_assert_eq!(told(reader.line(plain.as_bytes())), told(reader.line(quoted.as_bytes())));
        prop_assert_eq!(told(reader.last_line(plain.as_bytes())), told(reader.last_line(quoted.as_bytes())));
    }

    #[test]
    fn random_bytes_never_panic(file in prop::collection::vec(any::<u8>(), 0..2000), sizes in prop::collection::vec(1usize..100, 1..4)) {
        prop_assert_eq!(read(&file, &sizes), read(&file, &[usize::MAX]));
        let _ = FileName::parse(&String::from_utf8_lossy(&file));
    }
}
