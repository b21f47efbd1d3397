//! `kachi simulate`: five carriers over one virtual world, on loopback addresses, until it is interrupted.

use crate::args::SimulateArgs;
use crate::exit::Exit;
use crate::print;
use kachi_simulator::{Addresses, AuthClock, Platform, Settings, Simulator};
use std::time::{SystemTime, UNIX_EPOCH};

/// Up to so many cards, usage records are kept in memory, so that carriers can be asked for single sessions.
const RECORDS_OF_CARDS: u32 = 10_000;

/// Serves the world; prints where, and who may ask.
pub fn run(args: &SimulateArgs) -> Result<(), Exit> {
    let start = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Exit::cannot("the clock stands before 1970"))?;
    if let Some(dir) = &args.cdr_dir
        && !dir.is_dir()
    {
        return Err(Exit::refused(format!("--cdr-dir: {} is not a folder: make it first", dir.display())));
    }
    let settings = Settings {
        seed: args.seed,
        start: start.as_secs().cast_signed(),
        speed: args.speed,
        population: shares(args.sims),
        auth_clock: AuthClock::Wall,
        keep_records: args.sims <= RECORDS_OF_CARDS,
        cdr_dir: args.cdr_dir.clone(),
        ..Settings::default()
    };
    let addresses = if args.control.port() == 0 { Addresses::free_at(args.control.ip()) } else { Addresses::fixed(args.control) };
    let sim = Simulator::start_at(settings, &addresses).map_err(Exit::cannot)?;
    tell(&sim, args)?;
    wait()?;
    print::line("stopped")
}

/// How many cards each platform has.
fn shares(sims: u32) -> Vec<(Platform, u32)> {
    let percent = [(Platform::CtWing, 15), (Platform::Telecom, 15), (Platform::Unicom, 20), (Platform::Jasper, 10)];
    let mut shares: Vec<(Platform, u32)> = percent.map(|(platform, of)| (platform, (u64::from(sims) * of / 100) as u32)).into();
    let rest = sims - shares.iter().map(|s| s.1).sum::<u32>();
    shares.insert(0, (Platform::OneLink, rest));
    shares
}

fn tell(sim: &Simulator, args: &SimulateArgs) -> Result<(), Exit> {
    let who = sim.logins();
    let pace = if args.speed == 0 {
        "its clock stands still".to_owned()
    } else {
        format!("its clock runs {} times as fast", args.speed)
    };
    print::line(format_args!(
        "a virtual world of {} cards; {pace}; the same --seed ({}) is the same world",
        args.sims, args.seed
    ))?;
    for platform in Platform::ALL {
        let login = match platform {
            Platform::OneLink => format!("appid {}  password {}", who.onelink.appid, who.onelink.password),
            Platform::CtWing => {
                format!(
                    "AppKey {}  secretKey {}  custNumber {}",
                    who.ctwing.app_key, who.ctwing.secret_key, who.ctwing.cust_number
                )
            }
            Platform::Telecom => {
                format!("user_id {}  password {}  key {}", who.telecom.user_id, who.telecom.password, who.telecom.key)
            }
            Platform::Unicom => {
                format!("app_id {}  app_secret {}  openId {}", who.unicom.app_id, who.unicom.app_secret, who.unicom.open_id)
            }
            Platform::Jasper => {
                format!("username {}  apiKey {}  accountId {}", who.jasper.username, who.jasper.api_key, who.jasper.account_id)
            }
        };
        let iccids = sim.iccids(platform);
        let first = iccids.first().map_or("-", String::as_str);
        print::line(format_args!(
            "{:8} {}  {} cards, the first {first}  {login}",
            platform.name(),
            sim.url(platform),
            iccids.len()
        ))?;
    }
    print::line(format_args!(
        "{:8} {}  POST /faults /advance /sms/mo /imei /card, GET /world /faults /card/ICCID",
        "control",
        sim.control_url()
    ))?;
    if let Some(dir) = &args.cdr_dir {
        print::line(format_args!("CDR files of each virtual hour go to {}", dir.display()))?;
    }
    print::line("Ctrl-C stops it")
}

/// Until Ctrl-C, or the end that a service manager sends.
fn wait() -> Result<(), Exit> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Exit::cannot)?;
    runtime.block_on(async {
        let mut ended = signal(SignalKind::terminate()).map_err(Exit::cannot)?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Exit::cannot),
            _ = ended.recv() => Ok(()),
        }
    })
}
