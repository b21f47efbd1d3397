//! The log of `kachi serve`, on standard error.

use crate::config::Log;
use crate::exit::Exit;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging as the configuration says.
pub fn start(log: &Log) -> Result<(), Exit> {
    let filter = EnvFilter::builder().parse(&log.level).map_err(|e| {
        Exit::cannot(format!("log.level: \"{}\" is not a filter such as info or info,kachi_engine=debug ({e})", log.level))
    })?;
    // The FTP library's trace holds every command, passwords too.
    let filter = filter.add_directive("suppaftp=info".parse().map_err(Exit::cannot)?);
    // A certificate that is not accepted is told by whoever asked, once and with what to do.
    let filter = filter.add_directive("rustls_platform_verifier=off".parse().map_err(Exit::cannot)?);
    let out = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if log.json {
        out.json().init();
    } else {
        out.with_ansi(std::io::stderr().is_terminal()).init();
    }
    Ok(())
}
