//! CDR files taken in, how far each was read, and the lines that are not, or not yet, readings.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use kachi_domain::{PlatformId, Timestamp};

/// A CDR file as kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CdrFile {
    /// Its number.
    pub id: i64,
    /// Whether all of it was read.
    pub done: bool,
    /// Bytes read.
    pub offset_bytes: i64,
    /// Lines read.
    pub lines: i64,
    /// Readings it brought.
    pub loaded: i64,
    /// Lines whose key was known with the same content.
    pub duplicate: i64,
    /// Lines whose card is not known.
    pub orphan: i64,
    /// Lines set aside for any other reason.
    pub bad: i64,
    /// How often the rating of its waiting batches began or ended: with it no later state of the row equals an earlier one.
    pub rounds: i64,
}

/// A line set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Line number in the file, from 1.
    pub line: i64,
    /// The fate's word.
    pub fate: &'static str,
    /// Why.
    pub reason: String,
    /// The card, where it could be read.
    pub iccid: Option<String>,
    /// The source's own id, where it could be read.
    pub source_id: Option<i64>,
    /// Bytes, where they could be read.
    pub bytes: Option<i64>,
    /// The line.
    pub text: String,
    /// When it is looked at again; never, where nothing can change.
    pub due_at: Option<i64>,
}

/// A line that waits: for its card, or for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number among the lines set aside.
    pub id: i64,
    /// Where it came from.
    pub platform: i64,
    /// In which file.
    pub file: i64,
    /// Line number there.
    pub line: i64,
    /// The card.
    pub iccid: String,
    /// The line.
    pub text: String,
}

/// Usage of one platform that waits for a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The card.
    pub iccid: String,
    /// Whose records they are.
    pub platform: PlatformId,
    /// Lines.
    pub lines: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Files that they came in.
    pub files: i64,
    /// The name of the newest of these.
    pub file: String,
}

/// A file that is not at its end, and who had it in hand is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftFile {
    /// Code of the platform whose records they are.
    pub platform: String,
    /// Its name.
    pub name: String,
    /// Bytes read.
    pub offset_bytes: i64,
    /// Its bytes.
    pub bytes: i64,
    /// When it was last worked on.
    pub moved_at: Timestamp,
}

/// A line set aside: (file, line, fate, reason, card, text, when).
pub type AsideRow = (String, i64, String, String, Option<String>, String, i64);

type WaitingRow = (i64, i64, i64, i64, String, String);

fn waiting(r: WaitingRow) -> Waiting {
    Waiting { id: r.0, platform: r.1, file: r.2, line: r.3, iccid: r.4, text: r.5 }
}

type R = (i64, i64, i64, i64, i64, i64, i64, i64, i64);

fn file(r: R) -> CdrFile {
    CdrFile {
        id: r.0,
        done: r.1 != 0,
        offset_bytes: r.2,
        lines: r.3,
        loaded: r.4,
        duplicate: r.5,
        orphan: r.6,
        bad: r.7,
        rounds: r.8,
    }
}

const COLUMNS: &str = "id, done, offset_bytes, lines, loaded, duplicate, orphan, bad, rounds";

impl Tx<'_> {
    /// Marks the file seen, or finds how far it was read: one row per platform and content.
    pub fn receive_file(
        &mut self,
        platform: PlatformId,
        name: &str,
        digest: &str,
        bytes: i64,
        now: Timestamp,
    ) -> Result<CdrFile, Error> {
        self.run(
            "INSERT INTO cdr_file (platform_id, name, digest, bytes, done, offset_bytes, lines, loaded, duplicate, orphan, bad, created_at, moved_at)
             VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, ?, ?) ON CONFLICT (platform_id, digest) DO NOTHING",
            &binds![platform.0, name, digest, bytes, now.0, now.0],
        )?;
        let text = format!("SELECT {COLUMNS} FROM cdr_file WHERE platform_id = ? AND digest = ?{}", self.for_update());
        self.row::<R>(&text, &binds![platform.0, digest])?.map(file).ok_or_else(|| Error::Engine("the file row vanished".into()))
    }

    /// A file's row.
    pub fn cdr_file(&mut self, id: i64) -> Result<CdrFile, Error> {
        let text = format!("SELECT {COLUMNS} FROM cdr_file WHERE id = ?");
        self.row::<R>(&text, &binds![id])?.map(file).ok_or_else(|| Error::Engine("the file row vanished".into()))
    }

    /// Files that are not at their end and that have not moved since `before`, those left last first; so many at most.
    pub fn files_left(&mut self, before: Timestamp, limit: i64) -> Result<Vec<LeftFile>, Error> {
        let text = "SELECT p.code, f.name, f.offset_bytes, f.bytes, f.moved_at FROM cdr_file f JOIN platform p ON p.id = f.platform_id
             WHERE f.done = 0 AND f.moved_at < ? AND NOT EXISTS (SELECT 1 FROM rating_lane l WHERE l.file_id = f.id AND l.moved_at >= ?)
             ORDER BY f.moved_at DESC, f.id DESC LIMIT ?";
        let rows = self.rows::<(String, String, i64, i64, i64)>(text, &binds![before.0, before.0, limit])?;
        let left = |r: (String, String, i64, i64, i64)| LeftFile {
            platform: r.0,
            name: r.1,
            offset_bytes: r.2,
            bytes: r.3,
            moved_at: Timestamp(r.4),
        };
        Ok(rows.into_iter().map(left).collect())
    }

    /// A file's row, locked where the engine locks rows: who holds it is the one who reads on.
    pub fn file_locked(&mut self, id: i64) -> Result<CdrFile, Error> {
        let text = format!("SELECT {COLUMNS} FROM cdr_file WHERE id = ?{}", self.for_update());
        self.row::<R>(&text, &binds![id])?.map(file).ok_or_else(|| Error::Engine("the file row vanished".into()))
    }

    /// Writes how far a file was read and what came of it.
    pub fn advance_file(&mut self, f: &CdrFile, now: Timestamp) -> Result<(), Error> {
        self.run(
            "UPDATE cdr_file SET done = ?, offset_bytes = ?, lines = ?, loaded = ?, duplicate = ?, orphan = ?, bad = ?, done_at = ?, moved_at = ?
             WHERE id = ?",
            &binds![f.done, f.offset_bytes, f.lines, f.loaded, f.duplicate, f.orphan, f.bad, f.done.then_some(now.0), now.0, f.id],
        )?;
        Ok(())
    }

    /// Sets lines aside; an orphan that already waits is not added again. The answer is how many are new.
    pub fn add_asides(&mut self, platform: PlatformId, file: i64, lines: &[Aside], now: Timestamp) -> Result<usize, Error> {
        let mut added = 0;
        for part in lines.chunks(100) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 11);
            for a in part {
                values.extend(binds![
                    platform.0,
                    file,
                    a.line,
                    a.fate,
                    &a.reason,
                    a.iccid.as_deref(),
                    a.source_id,
                    a.bytes,
                    &a.text,
                    a.due_at,
                    now.0
                ]);
            }
            added += self.run_group(
                "INSERT INTO aside (platform_id, file_id, line, fate, reason, iccid, source_id, bytes, text, due_at, created_at) VALUES {}
                 ON CONFLICT DO NOTHING",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                part.len(),
                100,
                &values,
            )?;
        }
        Ok(added)
    }

    /// Lines of a file that were set aside: (line, fate, reason, text).
    pub fn asides_of_file(&mut self, file: i64, limit: i64) -> Result<Vec<(i64, String, String, String)>, Error> {
        self.rows("SELECT line, fate, reason, text FROM aside WHERE file_id = ? ORDER BY line LIMIT ?", &binds![file, limit])
    }

    /// Lines set aside of which nothing came yet, the newest first, of one fate or of all.
    pub fn asides(&mut self, fate: Option<&str>, limit: i64) -> Result<Vec<AsideRow>, Error> {
        let text = "SELECT COALESCE(f.name, ''), a.line, a.fate, a.reason, a.iccid, a.text, a.created_at FROM aside a
                    LEFT JOIN cdr_file f ON f.id = a.file_id WHERE a.settled_at IS NULL AND (CAST(? AS TEXT) IS NULL OR a.fate = ?)
                    ORDER BY a.id DESC LIMIT ?";
        self.rows(text, &binds![fate, fate, limit])
    }

    /// Orphans that wait for these cards, on the platforms where these live, the first that came first.
    pub fn orphans_of(&mut self, iccids: &[&str], limit: i64) -> Result<Vec<Waiting>, Error> {
        let list = serde_json::to_string(iccids).map_err(|e| Error::Engine(e.to_string()))?;
        let rows = self.row_each("aside a", "a.iccid = k.value AND a.fate = 'orphan' AND a.settled_at IS NULL");
        let text = format!(
            "SELECT a.id, a.platform_id, a.file_id, a.line, a.iccid, a.text FROM {rows} WHERE EXISTS (SELECT 1 FROM sim s
             JOIN product p ON p.id = s.product_id WHERE s.iccid = a.iccid AND p.platform_id = a.platform_id) ORDER BY a.id LIMIT ?"
        );
        Ok(self.rows::<WaitingRow>(&text, &binds![list, limit])?.into_iter().map(waiting).collect())
    }

    /// ICCIDs of waiting orphans whose card is known on their platform by now.
    pub fn orphans_with_card(&mut self, limit: i64) -> Result<Vec<String>, Error> {
        let rows = self.rows::<(String,)>(
            "SELECT DISTINCT a.iccid FROM aside a JOIN sim s ON s.iccid = a.iccid JOIN product p ON p.id = s.product_id
             WHERE a.fate = 'orphan' AND a.settled_at IS NULL AND p.platform_id = a.platform_id LIMIT ?",
            &binds![limit],
        )?;
        Ok(rows.into_iter().map(|r| r.0).collect())
    }

    /// Lines whose time has come, the first that came first.
    pub fn asides_due(&mut self, now: Timestamp, limit: i64) -> Result<Vec<Waiting>, Error> {
        let text = "SELECT id, platform_id, file_id, line, COALESCE(iccid, ''), text FROM aside WHERE due_at <= ? ORDER BY due_at, id LIMIT ?";
        Ok(self.rows::<WaitingRow>(text, &binds![now.0, limit])?.into_iter().map(waiting).collect())
    }

    /// Lines that waited were looked at again: each is a reading now, or set aside anew.
    pub fn settle_asides(&mut self, ids: &[i64], now: Timestamp) -> Result<(), Error> {
        let (among, value) = self.among("id", ids);
        self.run(&format!("UPDATE aside SET settled_at = ?, due_at = NULL WHERE {among}"), &binds![now.0, value])?;
        Ok(())
    }

    /// The first so many cards by number for which orphans wait, each platform of one by itself.
    pub fn orphans(&mut self, limit: i64) -> Result<Vec<Orphan>, Error> {
        // The cards first, along their index: what waits beyond them is not read.
        let text = "SELECT DISTINCT iccid FROM aside WHERE fate = 'orphan' AND settled_at IS NULL ORDER BY iccid LIMIT ?";
        let iccids: Vec<String> = self.rows::<(String,)>(text, &binds![limit])?.into_iter().map(|r| r.0).collect();
        let text = format!(
            "SELECT o.iccid, o.platform_id, o.lines, o.bytes, o.files, f.name FROM (
               SELECT iccid, platform_id, COUNT(*) AS lines, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes,
                 COUNT(DISTINCT file_id) AS files, MAX(file_id) AS newest
               FROM aside WHERE fate = 'orphan' AND settled_at IS NULL AND {} GROUP BY iccid, platform_id) o
             LEFT JOIN cdr_file f ON f.id = o.newest ORDER BY o.iccid, o.platform_id",
            self.one_of_texts("iccid")
        );
        let mut found = Vec::new();
        for part in iccids.chunks(1_000) {
            let list = serde_json::to_string(part).map_err(|e| Error::Engine(e.to_string()))?;
            let rows = self.rows::<(String, i64, i64, i64, i64, Option<String>)>(&text, &binds![list])?;
            found.extend(rows.into_iter().map(|r| Orphan {
                iccid: r.0,
                platform: PlatformId(r.1),
                lines: r.2,
                bytes: r.3,
                files: r.4,
                file: r.5.unwrap_or_default(),
            }));
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// How many lines wait for their card to become known.
    pub fn orphans_waiting(&mut self) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM aside WHERE fate = 'orphan' AND settled_at IS NULL";
        Ok(self.row::<(i64,)>(text, &[])?.map_or(0, |r| r.0))
    }
}
