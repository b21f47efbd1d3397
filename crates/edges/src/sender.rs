//! Posting notices: claims deliveries from the engine, posts their lanes side by side, and hands back how each ended.
//! Which words a door uses is not known here: each door brings its [`Dialect`].

mod aside;
mod silent;

use crate::outbound::{self, Outbound};
use aside::Aside;
use kachi_engine::failing::{Ended, Failing, STEADY_SECONDS, Turn};
use kachi_engine::webhooks::{self, Claim, Endpoint, Job, Posted};
use kachi_engine::{Engine, Result};
use silent::Ears;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How one door speaks to its customers.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The body to post, from (job, stable id, timestamp, nonce); none if the door has no word for the event.
    pub render: fn(&Job, &str, i64, u32) -> Option<String>,
    /// Whether an answer (job, status, body) acknowledges it.
    pub acknowledged: fn(&Job, u16, &[u8]) -> bool,
    /// How long an answer may take, where the protocol says; never longer than the setting.
    pub timeout: Option<Duration>,
}

/// Posts notices.
#[derive(Clone)]
pub struct Sender {
    client: reqwest::Client,
    outbound: Outbound,
    dialects: Arc<HashMap<&'static str, Dialect>>,
    parallel: usize,
    answer_bytes_max: usize,
    timeout: Duration,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    ears: Arc<Ears>,
    failing: Arc<Failing<Endpoint>>,
    room: Arc<Semaphore>,
    aside: Arc<Aside>,
}

/// Bounds and means of a [`Sender`].
pub struct SenderSettings {
    /// What may be dialled.
    pub outbound: Outbound,
    /// How long an answer may take (`webhooks.timeout_seconds`).
    pub timeout: Duration,
    /// Lanes posted at once (`limits.delivery_parallel`); up to three times as many may be slow and go on aside.
    pub parallel: usize,
    /// Bytes of an answer that are read (`limits.answer_bytes_max`).
    pub answer_bytes_max: usize,
    /// Randomness, from the roof.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Deliveries that were tried, and how that ended.
type Tried = Vec<(Job, Posted)>;

/// Results kept at most before they are recorded.
const SETTLE_AT: usize = 200;

/// What was claimed, and until when it is posted: what is not by then is given back, for a result after the lease's end would count
/// for nothing.
struct Held {
    claim: Claim,
    until: Instant,
}

/// Lanes beside which none has begun for so long are finished aside.
const SLOW: Duration = Duration::from_millis(500);

/// Lanes that are posted now.
#[derive(Default)]
struct Running {
    lanes: JoinSet<(Tried, Vec<Job>)>,
    of: HashMap<tokio::task::Id, Endpoint>,
}

impl Running {
    fn begin(&mut self, sender: &Sender, engine: &Engine, lane: Vec<Job>, until: Instant) {
        let Some(endpoint) = lane.first().map(Job::endpoint) else { return };
        let (sender, engine) = (sender.clone(), engine.clone());
        let task = self.lanes.spawn(async move { sender.lane(lane, &engine, until).await });
        self.of.insert(task.id(), endpoint);
    }

    /// The next that ends, whose it was, and what of it was not tried; none if none runs.
    async fn next(&mut self) -> Option<(Option<Endpoint>, Tried, Vec<Job>)> {
        let ended = self.lanes.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(|e| e.id(), |(id, _)| *id);
        let (tried, rest) = ended.map(|(_, lane)| lane).unwrap_or_else(|e| {
            tracing::error!(error = %e, "a delivery lane stopped; its lease runs out and it is tried again");
            Default::default()
        });
        Some((self.of.remove(&id), tried, rest))
    }
}

/// A step claims ahead for so long.
const AHEAD: Duration = Duration::from_secs(1);

impl Sender {
    /// A sender for these doors.
    pub fn new(settings: SenderSettings, dialects: HashMap<&'static str, Dialect>) -> std::result::Result<Sender, String> {
        Ok(Sender {
            client: settings.outbound.client(settings.timeout)?,
            outbound: settings.outbound,
            dialects: Arc::new(dialects),
            parallel: settings.parallel.max(1),
            answer_bytes_max: settings.answer_bytes_max,
            timeout: settings.timeout,
            random: settings.random,
            ears: Arc::default(),
            failing: Arc::default(),
            room: Arc::new(Semaphore::new(settings.parallel.max(webhooks::PROBES))),
            aside: Arc::new(Aside::new(settings.parallel.max(2))),
        })
    }

    /// Claims what is due, posts it, settles it; the answer is how many deliveries were tried. Endpoints that are silent are tried
    /// aside: nothing waits for them. While much waits, more is claimed beside the posting.
    pub async fn step(&self, engine: &Engine) -> Result<usize> {
        let (began, mut tried) = (Instant::now(), 0);
        let mut next = self.claim(engine).await?;
        while !next.claim.is_empty() {
            // Of cards that are posted now no more is to be had: where few cards have many, looking would be for nothing.
            let much = next.claim.lanes.len() as u64 >= engine.settings().delivery_batch.unsigned_abs().div_ceil(2);
            let ahead = async { if much && began.elapsed() < AHEAD { self.claim(engine).await.map(Some) } else { Ok(None) } };
            let (posted, ahead) = tokio::join!(self.try_claimed(engine, next), ahead);
            let Some(ahead) = ahead? else { return Ok(tried + posted?) };
            // What would be late is not held from others, nor from a step that begins anew.
            if posted.is_err() || began.elapsed() > 2 * AHEAD {
                release(engine, ahead.claim.token, ahead.claim.into_jobs()).await?;
                return Ok(tried + posted?);
            }
            tried += posted?;
            next = ahead;
        }
        Ok(tried)
    }

    /// Waits for what goes on aside, before the program ends.
    pub async fn finish(&self) {
        while !self.aside.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn claim(&self, engine: &Engine) -> Result<Held> {
        let token = ((self.random)() >> 1) as i64;
        let mut silent = self.ears.silent(engine.now(), self.room.available_permits() / webhooks::PROBES);
        silent.resting.extend(self.aside.full());
        // What begins in its first half ends within the lease.
        let lease = engine.settings().lease_seconds.unsigned_abs().max(2 * (self.timeout.as_secs() + 1));
        let until = Instant::now() + Duration::from_secs(lease / 2);
        let (engine, lease) = (engine.clone(), i64::try_from(lease).unwrap_or(i64::MAX));
        Ok(Held { claim: off_thread(move || webhooks::claim_for(&engine, (token, lease), &silent)).await?, until })
    }

    async fn try_claimed(&self, engine: &Engine, Held { claim, until }: Held) -> Result<usize> {
        let tried = claim.unsendable.len() + claim.probes.len();
        self.probe(engine, claim.token, claim.probes);
        let settled = claim.unsendable.into_iter().map(|(job, why)| (job, failed(why, 0))).collect();
        Ok(tried + self.lanes(engine, claim.token, (claim.lanes, until), settled).await?)
    }

    /// Posts lanes side by side; the answer is how many deliveries were tried. What takes long is finished aside.
    async fn lanes(
        &self,
        engine: &Engine,
        token: i64,
        (lanes, until): (Vec<Vec<Job>>, Instant),
        mut settled: Tried,
    ) -> Result<usize> {
        let (mut tried, mut left) = (0, Vec::new());
        let (mut lanes, mut running) = (lanes.into_iter(), Running::default());
        let mut settling: JoinSet<Result<()>> = JoinSet::new();
        // When one last began: while others wait, it does as soon as one ends.
        let mut began = Instant::now();
        loop {
            while running.lanes.len() < self.parallel && Instant::now() < until {
                let Some(lane) = lanes.next() else { break };
                if lane.first().is_some_and(|job| self.aside.is_full(&job.endpoint())) {
                    left.extend(lane);
                    continue;
                }
                running.begin(self, engine, lane, until);
                began = Instant::now();
            }
            match tokio::time::timeout_at((began + SLOW).into(), running.next()).await {
                Ok(Some((_, ended, rest))) => {
                    tried += ended.len();
                    settled.extend(ended);
                    left.extend(rest);
                }
                Ok(None) => break,
                Err(_) => {
                    if self.aside.put(running.of.values()) {
                        self.finish_aside(engine, token, std::mem::take(&mut running));
                    }
                    began = Instant::now();
                }
            }
            // What has ended is recorded while the next are posted.
            if settled.len() >= SETTLE_AT && settling.is_empty() {
                let (engine, ended) = (engine.clone(), std::mem::take(&mut settled));
                settling.spawn(async move { settle(&engine, token, ended).await });
            }
            while let Some(recorded) = settling.try_join_next() {
                recorded.unwrap_or_else(|e| Err(kachi_engine::Fail::fault(format!("a worker panicked: {e}"))))?;
            }
        }
        while let Some(recorded) = settling.join_next().await {
            recorded.unwrap_or_else(|e| Err(kachi_engine::Fail::fault(format!("a worker panicked: {e}"))))?;
        }
        settle(engine, token, settled).await?;
        left.extend(lanes.flatten());
        release(engine, token, left).await?;
        Ok(tried)
    }

    /// Finishes lanes that take long, while others go on.
    fn finish_aside(&self, engine: &Engine, token: i64, mut running: Running) {
        let (aside, engine) = (self.aside.clone(), engine.clone());
        tokio::spawn(async move {
            while let Some((endpoint, ended, rest)) = running.next().await {
                let settled = settle(&engine, token, ended).await;
                if let Err(e) = settled.and(release(&engine, token, rest).await) {
                    tracing::error!(error = %e, "attempts are not recorded; their lease runs out and they are tried again");
                }
                endpoint.iter().for_each(|endpoint| aside.end(endpoint));
            }
        });
    }

    /// One lane, one after the other, until its endpoint is silent; and what was not tried.
    async fn lane(&self, jobs: Vec<Job>, engine: &Engine, until: Instant) -> (Tried, Vec<Job>) {
        let mut ended = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter();
        while Instant::now() < until {
            let Some(job) = jobs.next() else { break };
            if self.ears.is_silent(&job.endpoint()) {
                return (ended, std::iter::once(job).chain(jobs).collect());
            }
            let posted = self.listen(&job, engine).await;
            ended.push((job, posted));
        }
        (ended, jobs.collect())
    }

    /// Tries silent endpoints, each with what was claimed for it, while others go on.
    fn probe(&self, engine: &Engine, token: i64, jobs: Vec<Job>) {
        let mut tried = HashSet::new();
        for job in jobs {
            if tried.insert(job.endpoint()) {
                self.ears.try_again(&job.endpoint(), engine.now());
            }
            // There is room for as many as were asked for; else the lease runs out.
            let Ok(room) = self.room.clone().try_acquire_owned() else { continue };
            let (sender, engine) = (self.clone(), engine.clone());
            tokio::spawn(async move {
                let posted = sender.listen(&job, &engine).await;
                if let Err(e) = settle(&engine, token, vec![(job, posted)]).await {
                    tracing::error!(error = %e, "an attempt is not recorded; its lease runs out and it is tried again");
                }
                drop(room);
            });
        }
    }

    /// Posts, and notes whether the endpoint answers.
    async fn listen(&self, job: &Job, engine: &Engine) -> Posted {
        let began = Instant::now();
        let posted = self.post(job, engine.now().0).await;
        let most =
            self.dialects.get(job.door.as_str()).and_then(|d| d.timeout).map_or(self.timeout, |most| most.min(self.timeout));
        let answered = posted.acknowledged || began.elapsed() < most;
        self.ears.note(&job.endpoint(), answered, engine.now());
        self.tell(job, &posted, engine);
        posted
    }

    /// Tells the log once that an endpoint has begun to fail, once that it takes its notices again, and that it comes and goes.
    fn tell(&self, job: &Job, posted: &Posted, engine: &Engine) {
        let ended = if posted.acknowledged { Ended::Well } else { Ended::Badly };
        let Some(turn) = self.failing.note(&job.endpoint(), ended, engine.now()) else { return };
        let (account, door, address) = (code(engine, job), &job.door, outbound::origin(&job.url));
        // What an answer says is kept with the attempt; here it might be a secret that came back.
        let reason = posted.status.map_or_else(|| posted.answer.clone(), |status| format!("HTTP {status}, not acknowledged"));
        match turn {
            Turn::Fails => {
                tracing::warn!(%account, %door, %address, %reason, "the address does not take its notices; they wait and are tried again")
            }
            Turn::Back(seconds) => {
                tracing::info!(%account, %door, %address, failed_seconds = seconds, "the address takes its notices again")
            }
            Turn::ComesAndGoes(times) => tracing::warn!(
                %account, %door, %address, times, %reason,
                "the address fails again: it comes and goes; how it stands is told when it has stood so for {STEADY_SECONDS} s"
            ),
        }
    }

    async fn post(&self, job: &Job, now: i64) -> Posted {
        let Some(dialect) = self.dialects.get(job.door.as_str()) else { return failed(format!("no door named {}", job.door), 0) };
        let nonce = 10_000 + ((self.random)() % 90_000) as u32;
        let Some(body) = (dialect.render)(job, &notice_id(job.id), now, nonce) else {
            return Posted { acknowledged: true, status: None, answer: "this door has no word for the event".into(), millis: 0 };
        };
        let url = match self.outbound.check(&job.url) {
            Ok(url) => url,
            Err(why) => return failed(why, 0),
        };
        let began = Instant::now();
        let mut post = self.client.post(url).header("content-type", "application/json;charset=utf-8").body(body);
        if let Some(most) = dialect.timeout {
            post = post.timeout(most.min(self.timeout));
        }
        let sent = post.send().await;
        let millis = |began: Instant| i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        match sent {
            // The address may hold a secret.
            Err(e) => failed(chain(&e.without_url()), millis(began)),
            Ok(answer) => {
                let status = answer.status().as_u16();
                match self.read(answer).await {
                    Ok(bytes) => Posted {
                        acknowledged: (dialect.acknowledged)(job, status, &bytes),
                        status: Some(i64::from(status)),
                        answer: printable(&bytes),
                        millis: millis(began),
                    },
                    Err(e) => failed(e, millis(began)),
                }
            }
        }
    }

    async fn read(&self, mut answer: reqwest::Response) -> std::result::Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|e| chain(&e.without_url()))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > self.answer_bytes_max {
                return Err(format!("the answer is longer than {} bytes", self.answer_bytes_max));
            }
        }
        Ok(bytes)
    }
}

async fn release(engine: &Engine, token: i64, jobs: Vec<Job>) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let engine = engine.clone();
    off_thread(move || webhooks::release(&engine, token, &jobs)).await
}

async fn settle(engine: &Engine, token: i64, settled: Tried) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let work = engine.clone();
    for job in off_thread(move || webhooks::settle(&work, token, settled)).await? {
        let account = code(engine, &job);
        tracing::warn!(notice = job.id, %account, door = %job.door, kind = %job.kind, "the notice is dead: its schedule is used up; `kachi admin delivery replay` sends it again");
    }
    Ok(())
}

/// The code of the account whose delivery it is.
fn code(engine: &Engine, job: &Job) -> String {
    engine.catalogue_last().account(job.account).map_or_else(|| job.account.to_string(), |info| info.account.code.clone())
}

/// The notice's stable id: 24 characters, the same for every attempt.
fn notice_id(delivery: i64) -> String {
    format!("KN{delivery:022}")
}

fn failed(why: String, millis: i64) -> Posted {
    Posted { acknowledged: false, status: None, answer: why.chars().filter(|c| !c.is_control()).take(300).collect(), millis }
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(200).collect()
}

fn chain(e: &dyn std::error::Error) -> String {
    let mut words = e.to_string();
    let mut source = e.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}

/// Runs what may wait for the database off the async threads.
pub async fn off_thread<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(f).await.unwrap_or_else(|e| Err(kachi_engine::Fail::fault(format!("a worker panicked: {e}"))))
}
