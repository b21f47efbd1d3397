//! How far what is loaded of a file is rated. A file is rated in lanes, each a range of card numbers with a mark of its own, so
//! that several transactions can rate at once where the engine lets them write at once. Lanes are there from the first card
//! that is rated until the file's waiting batches are closed.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::Timestamp;

/// A range of cards of a file that are rated one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatingLane {
    /// The file.
    pub file: i64,
    /// Its cards are numbered above this, up to where the next lane begins.
    pub from_sim: i64,
    /// Those numbered up to this are rated.
    pub rated_sim: i64,
    /// Which rating of the file this is: a worker that slept through the end of one takes no later one for it.
    pub round: i64,
}

impl RatingLane {
    /// Whether waiting facts of the card are rated.
    pub fn has_rated(&self, sim: i64) -> bool {
        self.from_sim < sim && sim <= self.rated_sim
    }
}

/// That a waiting fact `r` of a batch `b` is rated.
pub(crate) const IN_LANE: &str =
    "EXISTS (SELECT 1 FROM rating_lane l WHERE l.file_id = b.file_id AND r.sim_id > l.from_sim AND r.sim_id <= l.rated_sim)";

impl Tx<'_> {
    /// The lanes of a file that is being rated, in the order of their cards.
    pub fn rating_lanes(&mut self, file: i64) -> Result<Vec<RatingLane>, Error> {
        let text = "SELECT file_id, from_sim, rated_sim, round FROM rating_lane WHERE file_id = ? ORDER BY from_sim";
        let lane = |r: (i64, i64, i64, i64)| RatingLane { file: r.0, from_sim: r.1, rated_sim: r.2, round: r.3 };
        Ok(self.rows(text, &binds![file])?.into_iter().map(lane).collect())
    }

    /// Begins to rate a file whose row the caller has locked, a lane from each of these card numbers on.
    pub fn open_rating_lanes(&mut self, file: i64, from_sims: &[i64], now: Timestamp) -> Result<Vec<RatingLane>, Error> {
        self.run("UPDATE cdr_file SET rounds = rounds + 1, moved_at = ? WHERE id = ?", &binds![now.0, file])?;
        for from in from_sims {
            let text = "INSERT INTO rating_lane (file_id, from_sim, rated_sim, round, moved_at) SELECT id, ?, ?, rounds, ? FROM cdr_file WHERE id = ?";
            self.run(text, &binds![*from, *from, now.0, file])?;
        }
        self.rating_lanes(file)
    }

    /// Goes on with the lanes of a file whose row the caller has locked: whoever was at them has lost all of them.
    pub fn take_rating_lanes(&mut self, file: i64, now: Timestamp) -> Result<Vec<RatingLane>, Error> {
        self.run("UPDATE cdr_file SET rounds = rounds + 1, moved_at = ? WHERE id = ?", &binds![now.0, file])?;
        let text = "UPDATE rating_lane SET round = (SELECT rounds FROM cdr_file WHERE id = ?), moved_at = ? WHERE file_id = ?";
        self.run(text, &binds![file, now.0, file])?;
        self.rating_lanes(file)
    }

    /// Marks the facts of the lane as rated for cards numbered up to `sim`: from here on the questions by card, in this transaction
    /// too, count them. False if somebody else moved the lane on.
    pub fn rate_up_to(&mut self, lane: RatingLane, sim: i64, now: Timestamp) -> Result<bool, Error> {
        let text = "UPDATE rating_lane SET rated_sim = ?, moved_at = ? WHERE file_id = ? AND from_sim = ? AND rated_sim = ? AND round = ?";
        Ok(self.run(text, &binds![sim, now.0, lane.file, lane.from_sim, lane.rated_sim, lane.round])? == 1)
    }

    /// All waiting batches of the file, whose row the caller has locked, are rated for every card.
    pub fn close_batches(&mut self, file: i64, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE reading_batch SET rated = 1 WHERE file_id = ? AND rated = 0", &binds![file])?;
        self.run("DELETE FROM rating_lane WHERE file_id = ?", &binds![file])?;
        self.run("UPDATE cdr_file SET rounds = rounds + 1, moved_at = ? WHERE id = ?", &binds![now.0, file])?;
        Ok(())
    }

    /// Files whose batches wait for their rating and that have not moved since `before`.
    pub fn files_left_unrated(&mut self, before: Timestamp) -> Result<Vec<i64>, Error> {
        let text = "SELECT id FROM cdr_file f WHERE moved_at < ? AND id IN (SELECT file_id FROM reading_batch WHERE rated = 0)
                    AND NOT EXISTS (SELECT 1 FROM rating_lane l WHERE l.file_id = f.id AND l.moved_at >= ?) ORDER BY id";
        Ok(self.rows::<(i64,)>(text, &binds![before.0, before.0])?.into_iter().map(|r| r.0).collect())
    }
}
