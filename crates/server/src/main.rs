//! The one binary: reads the command line and the configuration, opens the house, and hands over to a verb.

mod admin;
mod apply;
mod args;
mod backup;
mod carriers;
mod config;
mod demo;
mod doctor;
mod exit;
mod export;
mod import;
mod import_sims;
mod log;
mod open;
mod print;
mod secrets;
mod serve;
mod sign;
mod simulate;
mod tallies;
mod workers;

pub use args::ServeArgs;
use args::{Admin, Cli, ConfigVerb, Import, Shape, Sign, Verb};
use clap::Parser;
use config::Config;
use exit::Exit;
use std::process::ExitCode;

/// Half of what a small answer costs is memory that is asked for and given back, by SQLite too; this one is about twice as
/// quick at it as the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A closed pipe ends the program quietly, as with every other tool, instead of with a panic.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.leave(),
    }
}

fn run(cli: Cli) -> Result<(), Exit> {
    let config = || Config::load(&cli.config).map_err(Exit::cannot);
    match cli.verb {
        Verb::Version(shape) => version(shape),
        Verb::Sign(Sign::Eiotclub(args)) => sign::eiotclub(args),
        Verb::Sign(Sign::Cardboss(args)) => sign::cardboss(args),
        Verb::Config(ConfigVerb::Check) => check(Config::load(&cli.config)),
        Verb::Config(ConfigVerb::Print(shape)) => print_config(&config()?, shape),
        Verb::Admin(Admin::Doctor(shape)) => doctor::run(Config::load(&cli.config), shape),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Migrate => migrate(&config()?),
        Verb::Backup(to) => backup::backup(&config()?, &to),
        Verb::Restore(from) => backup::restore(&config()?, &from),
        Verb::Serve(args) => start(config()?, args),
        Verb::Apply(args) => apply::run(&config()?, &args),
        Verb::Import(Import::Cdr(args)) => import::cdr(&config()?, &args),
        Verb::Import(Import::Sims(args)) => import_sims::run(&config()?, &args),
        Verb::Export(verb) => export::run(&open::existing(&config()?)?, verb),
        Verb::Admin(Admin::Sync(verb)) => {
            let config = config()?;
            let engine = open::existing(&config)?;
            admin::sync::run(&engine, verb, || Ok(carriers::Carriers::open(&engine, serve::addresses(&config)?)?.now()?))
        }
        Verb::Admin(verb) => admin::run(&open::existing(&config()?)?, verb),
    }
}

fn start(config: Config, args: ServeArgs) -> Result<(), Exit> {
    log::start(&config.log)?;
    serve::run(config, args)
}

fn version(shape: Shape) -> Result<(), Exit> {
    let version = env!("CARGO_PKG_VERSION");
    if shape.json { print::line(serde_json::json!({ "version": version })) } else { print::line(format_args!("kachi {version}")) }
}

fn check(config: Result<Config, String>) -> Result<(), Exit> {
    config.map_err(Exit::refused)?;
    print::line("the configuration is good")
}

fn print_config(config: &Config, shape: Shape) -> Result<(), Exit> {
    if shape.json {
        let key = |g: &config::Given| serde_json::json!({"key": g.key, "value": g.value, "from": g.source.to_string()});
        return print::json(&config.given.iter().map(key).collect::<Vec<_>>());
    }
    let mut section = "";
    for given in &config.given {
        let (of, key) = given.key.split_once('.').unwrap_or(("", &given.key));
        if of != section {
            print::line(format_args!("\n[{of}]"))?;
            section = of;
        }
        print::line(format_args!("{key} = {}  # {}", config::inline(&given.value), given.source))?;
    }
    Ok(())
}

fn migrate(config: &Config) -> Result<(), Exit> {
    let schema = open::engine(config)?.store().schema();
    let steps = if schema.found == schema.now { schema.now.to_string() } else { format!("{} -> {}", schema.found, schema.now) };
    print::line(format_args!("the database's schema is up to date: {steps}"))
}
