//! Logging in and out, and who is behind a request.
//!
//! Promised: passwords are looked at one at a time, by a thread of their own ([`HASHES_AT_ONCE`]); the answer
//! for an unknown login is the same as for a wrong password and takes as long; only the digest of a session's token is
//! stored. Not promised: a limit of tries for one login; that is for the proxy before us, or for a later day.

use super::html::Html;
use super::lang::Lang;
use super::{Asked, Portal, cookie, guard, page};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kachi_domain::account::Switch;
use kachi_engine::overview::{self, SESSION_SECONDS, Session};
use kachi_engine::{Engine, Fail, Result};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The cookie with the session's token.
pub const SESSION_COOKIE: &str = "kachi_session";

/// Passwords hashed at once: each takes 19 MiB and tens of milliseconds of a core.
const HASHES_AT_ONCE: usize = 1;

/// Logins that may wait for their turn.
const WAITING_MAX: usize = 32;

/// Longest login and password that are looked at, bytes.
const WORD_BYTES_MAX: usize = 256;

/// A hash that no password fits, with the parameters of real ones: unknown logins take as long as known ones.
const NO_PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcmVhbCBzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bounds of the password checks.
pub struct Gate {
    waiting: Semaphore,
    hashing: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate { waiting: Semaphore::new(WAITING_MAX), hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)) }
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Words {
    login: String,
    password: String,
}

/// One thread that hashes: the allocator keeps a hash's 19 MiB with the thread that took them, so only one thread may.
mod hasher {
    use argon2::{Argon2, PasswordVerifier};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{LazyLock, Mutex, PoisonError};

    type Job = (Vec<u8>, String, Sender<bool>);

    static JOBS: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
        let (jobs, queue) = channel::<Job>();
        let work = move || {
            for (password, hash, answer) in queue {
                let _ = answer.send(Argon2::default().verify_password(&password, hash.as_str()).is_ok());
            }
        };
        std::thread::Builder::new().name("hasher".into()).spawn(work).expect("a thread");
        Mutex::new(jobs)
    });

    /// Whether the password is the one that was hashed; waits for its turn.
    pub(super) fn fits(password: &[u8], hash: &str) -> bool {
        let (answer, waiter) = channel();
        let job = (password.to_vec(), hash.to_owned(), answer);
        let sent = JOBS.lock().unwrap_or_else(PoisonError::into_inner).send(job);
        sent.is_ok() && waiter.recv().unwrap_or(false)
    }
}

/// `GET /login`
pub async fn form(State(portal): State<Arc<Portal>>, asked: Asked, headers: HeaderMap) -> Response {
    let lang = Lang::choose(asked.lang.as_deref(), &headers);
    if person(&portal, &headers).await.is_ok() {
        return Redirect::to("/").into_response();
    }
    super::remember(asked.lang.as_deref(), show(&portal, lang, StatusCode::OK, ""))
}

/// `POST /login`
pub async fn log_in(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
    words: std::result::Result<Form<Words>, FormRejection>,
) -> Response {
    let lang = Lang::choose(None, &headers);
    let Ok(Form(words)) = words else {
        return show(&portal, lang, StatusCode::BAD_REQUEST, lang.pick("Fill in both fields.", "请填写两项。"));
    };
    let Ok(_place) = portal.gate.waiting.try_acquire() else {
        let busy = lang.pick("Too many people are logging in. Try again in a moment.", "登录人数过多，请稍后再试。");
        return show(&portal, lang, StatusCode::SERVICE_UNAVAILABLE, busy);
    };
    match admitted(&portal, words).await {
        Ok(Entry::With(token)) => {
            let mut response = Redirect::to("/").into_response();
            super::set_cookie(&mut response, &session_cookie(&token, SESSION_SECONDS, &headers));
            response
        }
        Ok(Entry::Wrong) => {
            let wrong = lang.pick("Login or password is wrong.", "用户名或密码错误。");
            show(&portal, lang, StatusCode::UNAUTHORIZED, wrong)
        }
        Ok(Entry::SwitchedOff) => {
            let off = lang.pick("This account is switched off. Ask the operator.", "账号已停用，请联系运营方。");
            show(&portal, lang, StatusCode::FORBIDDEN, off)
        }
        Err(fail) => super::broken(lang, &fail),
    }
}

/// `POST /logout`
pub async fn log_out(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    if let Some(token) = cookie(&headers, SESSION_COOKIE)
        && let Err(fail) = overview::close_session(&portal.engine, token).await
    {
        return super::broken(Lang::choose(None, &headers), &fail);
    }
    let mut response = Redirect::to("/login").into_response();
    super::set_cookie(&mut response, &session_cookie("", 0, &headers));
    response
}

/// The person behind a request, or the answer to one without a session.
pub async fn person(portal: &Arc<Portal>, headers: &HeaderMap) -> std::result::Result<Session, Response> {
    let Some(token) = cookie(headers, SESSION_COOKIE).map(str::to_owned) else {
        return Err(Redirect::to("/login").into_response());
    };
    let found = portal.engine.off_thread(move |engine| overview::session_actor(engine, &token)).await;
    match found {
        Ok(Some(session)) => Ok(session),
        Ok(None) => Err(Redirect::to("/login").into_response()),
        Err(fail) => Err(super::broken(Lang::choose(None, headers), &fail)),
    }
}

/// The token of a new session, if the password fits.
/// Whether a person comes in.
enum Entry {
    /// With this session token.
    With(String),
    /// Login or password is wrong.
    Wrong,
    /// Both fit, and the account is switched off.
    SwitchedOff,
}

async fn admitted(portal: &Arc<Portal>, words: Words) -> Result<Entry> {
    let Words { login, password } = words;
    let sane = login.len() <= WORD_BYTES_MAX && password.len() <= WORD_BYTES_MAX;
    let name = login.clone();
    // Asked before there is a turn: a database that hangs holds up nobody's hash.
    let find = move |engine: &Engine| if sane { overview::login(engine, &name) } else { Ok(None) };
    let known = portal.engine.off_thread(find).await?;
    let (account, hash) = known.map_or_else(|| (None, NO_PASSWORD.to_owned()), |(account, hash)| (Some(account), hash));
    let fits = fits(portal, if sane { password } else { String::new() }, hash.clone()).await?;
    let Some(account) = account.filter(|_| fits) else { return Ok(Entry::Wrong) };
    if portal.engine.off_thread(move |engine| Ok(engine.catalogue()?.switch(account))).await? == Switch::Off {
        return Ok(Entry::SwitchedOff);
    }
    let token: String = (portal.random)().iter().map(|b| format!("{b:02x}")).collect();
    // It may have got another password while this one was compared.
    let is_open = overview::open_session(&portal.engine, (login, account, hash), &token).await?;
    Ok(if is_open { Entry::With(token) } else { Entry::Wrong })
}

/// Whether the password is the one that was hashed, when it is its turn.
async fn fits(portal: &Portal, password: String, hash: String) -> Result<bool> {
    let turn = portal.gate.hashing.clone().acquire_owned().await.map_err(|e| Fail::fault(e.to_string()))?;
    let compare = move || {
        // Held by the thread that hashes: a caller who hangs up does not make room for another hash.
        let _turn = turn;
        hasher::fits(password.as_bytes(), &hash)
    };
    tokio::task::spawn_blocking(compare).await.map_err(|e| Fail::fault(format!("it panicked: {e}")))
}

fn session_cookie(token: &str, seconds: i64, headers: &HeaderMap) -> String {
    let secure = if guard::is_https(headers) { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

fn show(portal: &Portal, lang: Lang, status: StatusCode, trouble: &str) -> Response {
    let alert = match trouble {
        "" => String::new(),
        words => format!("<p class=\"banner bad\" role=\"alert\" id=\"trouble\">{}</p>", Html::text(words)),
    };
    let described = if trouble.is_empty() { "" } else { " aria-describedby=\"trouble\"" };
    let body = format!(
        "<section class=\"login\" aria-labelledby=\"login-h\"><h1 id=\"login-h\">{}</h1>{alert}\
         <form method=\"post\" action=\"/login\"><label for=\"login\">{}</label>\
         <input id=\"login\" name=\"login\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required maxlength=\"256\"{described}>\
         <label for=\"password\">{}</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required maxlength=\"256\"{described}>\
         <button type=\"submit\">{}</button></form></section>",
        lang.pick("Log in to Kachi", "登录 Kachi"),
        lang.pick("Login", "用户名"),
        lang.pick("Password", "密码"),
        lang.pick("Log in", "登录"),
    );
    let other = format!("/login?lang={}", lang.other().word());
    let shown = page::Page { lang, title: lang.pick("Log in", "登录"), other: &other, person: None, live: false };
    (status, page::whole(portal, &shown, &Html(body))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_for_unknown_logins_is_a_real_one_that_nothing_fits() {
        use argon2::PasswordVerifier;
        let fits = argon2::Argon2::default().verify_password(b"password", NO_PASSWORD);
        assert!(matches!(fits, Err(argon2::password_hash::Error::PasswordInvalid)), "{fits:?}");
    }
}
