//! The command line: verbs, their flags, and the help that is their manual.

mod account;
mod acts;
mod balance;
mod delivery;
mod devices;
mod diagnose;
mod export;
mod order;
mod pool;
mod price;
mod profit;
mod renewal;
mod sim;
mod sync;

pub use account::{Accounts, Signature, Switching};
pub use acts::{Sms, Task, Template};
pub use balance::Balance;
pub use delivery::{Delivery, Replay};
pub use devices::{Claim, Device};
pub use diagnose::{Diagnose, Language};
pub use export::{Export, ExportDays, ExportReconcile, ExportSims, ExportUsage, Format, Target};
pub use order::{Order, WhichOrder};
pub use pool::Pool;
pub use price::Price;
pub use profit::Profit;
pub use renewal::Renewal;
pub use sim::{OnOff, Sim};
pub use sync::{Reconcile, Sync};

use crate::config::ConfigArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// IoT SIM management: cards, packages, usage, orders and notices, for carriers' resellers.
///
/// Exit codes: 0 done, 1 a finding or refused input, 2 wrong usage, 3 cannot run.
#[derive(Debug, Parser)]
#[command(name = "kachi", version, disable_help_subcommand = true, max_term_width = 120)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the server
    Serve(ServeArgs),
    /// Create or update what the files describe; all of it or nothing
    ///
    /// A key that a file leaves out stays as it is. The state of a card that is already known, currencies and places in the
    /// account tree are never changed. Applying the same files again changes nothing.
    Apply(ApplyArgs),
    /// Take in cards or usage records
    #[command(subcommand)]
    Import(Import),
    /// Write something out for other programs
    #[command(subcommand)]
    Export(Export),
    /// Print or verify a signature
    #[command(subcommand)]
    Sign(Sign),
    /// Look after the system
    #[command(subcommand)]
    Admin(Admin),
    /// Run the carriers' side on loopback addresses: five protocols over one virtual world of cards
    Simulate(SimulateArgs),
    /// Bring the database's schema up to date
    Migrate,
    /// Copy the database, as it is at this moment, into a new file; the server may run
    ///
    /// The file is a SQLite database, also if this one is in PostgreSQL.
    Backup(Backup),
    /// Make the database that is configured, and is not there yet, out of a copy, and audit it
    ///
    /// With a copy that `kachi backup` made, on either engine: so it is also the way from SQLite to PostgreSQL and back.
    Restore(Restore),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print the version
    Version(Shape),
}

/// How the server runs.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Fill an empty database with a demo; print logins and signed calls
    #[arg(long)]
    pub demo: bool,
    /// Which parts this process runs
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub role: Role,
}

/// The parts of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything in one process
    All,
    /// The partners' doors
    Api,
    /// The pages for people
    Portal,
    /// Deliveries, carriers' writes, folders and timers
    Worker,
}

impl Role {
    /// Whether the partners' doors are open.
    pub fn serves_api(self) -> bool {
        matches!(self, Role::All | Role::Api)
    }

    /// Whether the pages for people are.
    pub fn serves_portal(self) -> bool {
        matches!(self, Role::All | Role::Portal)
    }

    /// Whether deliveries, carriers' writes, folders and timers are worked on.
    pub fn works(self) -> bool {
        matches!(self, Role::All | Role::Worker)
    }
}

/// A virtual world.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Cards of the world, over all carriers
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub sims: u32,
    /// How many times as fast as the real clock the world's runs; 0 stands still
    #[arg(long, value_name = "X", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub speed: u32,
    /// Where the control port is; the carriers are at 7101 to 7105 of the same address. Port 0: all at free ports
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7100")]
    pub control: std::net::SocketAddr,
    /// What all chance is drawn from: the same number is the same world
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder for CDR files, one a carrier and virtual hour
    #[arg(long, value_name = "DIR")]
    pub cdr_dir: Option<PathBuf>,
}

/// What to apply.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// YAML files, applied together in this order
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Change nothing; print the difference
    #[arg(long)]
    pub dry_run: bool,
}

/// What to take in.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Cards, from a CSV file with the header iccid,imsi,msisdn,eid,state,alias,group,remark,real_name
    Sims(ImportSims),
    /// Usage records, from CDR files
    Cdr(ImportCdr),
}

/// Cards of one platform, account and product.
#[derive(Debug, Args)]
pub struct ImportSims {
    /// The CSV file; its bad lines go to FILE.bad.csv. A known card keeps its state, which is told where the file has another
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Code of the card platform
    #[arg(long, value_name = "CODE")]
    pub platform: String,
    /// Code of the account that owns the cards; the operator if left out
    #[arg(long, value_name = "CODE")]
    pub account: Option<String>,
    /// Code of the product; may be left out if the platform has only one
    #[arg(long, value_name = "CODE")]
    pub product: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// CDR files of one platform.
#[derive(Debug, Args)]
pub struct ImportCdr {
    /// The files; the bad lines of each go to FILE.bad.csv
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Code of the card platform
    #[arg(long, value_name = "CODE")]
    pub platform: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// In which dialect.
#[derive(Debug, Subcommand)]
pub enum Sign {
    /// A request of the EIOTCLUB API v3
    Eiotclub(SignEiotclub),
    /// A request of the CardBOSS API v2.2.2
    Cardboss(SignCardboss),
}

/// A request and an apikey.
#[derive(Debug, Args)]
pub struct SignCardboss {
    /// The operation's path, such as card/pkg/renew
    #[arg(value_name = "PATH")]
    pub path: String,
    /// The query or form: sid=...&ts=...&name=value, percent-encoded
    #[arg(value_name = "FORM")]
    pub form: String,
    /// The apikey of the sid
    #[arg(long)]
    pub apikey: String,
    /// Check the form's `sign` instead of printing one
    #[arg(long)]
    pub verify: bool,
}

/// A request body and a secret.
#[derive(Debug, Args)]
pub struct SignEiotclub {
    /// The JSON body; from standard input if left out
    #[arg(value_name = "BODY")]
    pub body: Option<String>,
    /// The secret of the appkey
    #[arg(long)]
    pub secret: String,
    /// Check the body's `sign` instead of printing one
    #[arg(long)]
    pub verify: bool,
}

/// Looking after the system.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Check every invariant against the data; exit 1 on a violation
    Audit(Shape),
    /// Check that the system can run: configuration, database, folders, secrets, clock
    Doctor(Shape),
    /// Accounts, and switching them on, off, or to asking alone
    #[command(subcommand)]
    Account(Accounts),
    /// People who log in
    #[command(subcommand)]
    User(User),
    /// Keys of accounts at the partners' doors
    #[command(subcommand)]
    Key(Key),
    /// Signatures that came twice
    #[command(subcommand)]
    Signature(Signature),
    /// Writes that a carrier, or a person, must confirm
    #[command(subcommand)]
    Intent(Intent),
    /// Orders as they stand, and taking one back
    #[command(subcommand)]
    Order(Order),
    /// Renewals, which the operator approves or rejects
    #[command(subcommand)]
    Renewal(Renewal),
    /// Notices to customers
    #[command(subcommand)]
    Delivery(Delivery),
    /// Usage of cards that are not known
    #[command(subcommand)]
    Orphan(Orphan),
    /// Lines of CDR files that are not, or not yet, readings
    #[command(subcommand)]
    Aside(Aside),
    /// Cards
    #[command(subcommand)]
    Sim(Sim),
    /// Why a card is off line: causes in their order, who can take each away and how, what was looked at and what could not be
    Diagnose(Diagnose),
    /// Work over many cards
    #[command(subcommand)]
    Task(Task),
    /// Messages to cards
    #[command(subcommand)]
    Sms(Sms),
    /// Templates of messages to people's telephones
    #[command(subcommand)]
    Template(Template),
    /// Pools in numbers, and taking cards out
    #[command(subcommand)]
    Pool(Pool),
    /// What accounts have; money that came in, and corrections
    #[command(subcommand)]
    Balance(Balance),
    /// The prices in force
    #[command(subcommand)]
    Price(Price),
    /// Profits that are paid out
    #[command(subcommand)]
    Profit(Profit),
    /// IMEI groups; `kachi apply` makes them, `admin sim join|leave` moves cards
    #[command(subcommand)]
    Imei(ImeiGroups),
    /// CDR files to customers
    #[command(subcommand)]
    Cdr(Cdr),
    /// Devices that report over the message broker
    #[command(subcommand)]
    Device(Device),
    /// Claims of devices to cards
    #[command(subcommand)]
    Claim(Claim),
    /// Keeping up with what carriers know of our cards
    #[command(subcommand)]
    Sync(Sync),
    /// Usage records held against carriers' counts
    #[command(subcommand)]
    Reconcile(Reconcile),
}

/// Where a copy comes from.
#[derive(Debug, Args)]
pub struct Restore {
    /// The copy; it stays as it is
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub shape: Shape,
}

/// Where a copy goes.
#[derive(Debug, Args)]
pub struct Backup {
    /// The new file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub shape: Shape,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct Shape {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// People who log in.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a person, or give one a new password and role; who is logged in with the old ones logs in again
    Add {
        /// The login
        login: String,
        /// Code of the account
        #[arg(long, value_name = "CODE", default_value = crate::open::OPERATOR_CODE)]
        account: String,
        /// What the person may do: owner, operator (acts), finance (money) or viewer
        #[arg(long, default_value = "owner", value_parser = crate::secrets::ROLES)]
        role: String,
        /// File with the password on its first line; without it one is made and shown once
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Take a person's login away; who is logged in with it is logged out. A file for `kachi apply` that names it brings it back
    Remove {
        /// The login, as `admin user list` shows it
        login: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// List the people
    List(Shape),
}

/// Keys at the doors.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key, or a new secret for one; the secret is shown once. Of several keys of an account at a door the first by name signs
    /// the notices
    Create {
        /// Code of the account
        #[arg(long, value_name = "CODE")]
        account: String,
        /// The key's name (appkey); the account's number if left out
        #[arg(long, value_name = "APPKEY")]
        name: Option<String>,
        /// The door
        #[arg(long, default_value = "eiotclub", value_parser = crate::secrets::DOORS)]
        door: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// List the keys, without their secrets
    List(Shape),
}

/// Writes to carriers.
#[derive(Debug, Subcommand)]
pub enum Intent {
    /// List the open writes, newest first
    List {
        /// Settled ones too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Say that a write was done
    Confirm {
        /// Number of the write
        id: i64,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Say that a write will not be done
    Refuse {
        /// Number of the write
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// CDR files to customers.
#[derive(Debug, Subcommand)]
pub enum Cdr {
    /// List the files, newest first
    List {
        /// Only those of this account and below
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// Only those in this state
        #[arg(long, value_parser = ["waiting", "done", "dead"])]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show the attempts to deliver a file
    Show {
        /// Number of the file
        id: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Send files again at once, under the same names and with the same content; also those that wait for their next attempt
    Resend {
        /// Number of the first file
        from: i64,
        /// Number of the last one, if there are several
        to: Option<i64>,
        /// Only those of this account and below
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Lines of CDR files that are not, or not yet, readings.
#[derive(Debug, Subcommand)]
pub enum Aside {
    /// List the lines with file, fate and reason, newest first. An orphan waits for its card, a line ahead for its time; what is
    /// late, in conflict or bad stays here
    List {
        /// Only those of this fate
        #[arg(long, value_parser = ["bad", "conflict", "orphan", "late", "ahead"])]
        fate: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Usage of cards that are not known.
#[derive(Debug, Subcommand)]
pub enum Orphan {
    /// List the cards with platform, lines, bytes and files that wait for them
    List {
        /// At most so many
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// IMEI groups.
#[derive(Debug, Subcommand)]
pub enum ImeiGroups {
    /// List the groups with how many devices and cards they have
    List(Shape),
    /// Show a group's devices and cards, and which are locked
    Show {
        /// Code of the group
        group: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Take a device out of a group; what was seen until now still counts as in it
    Remove {
        /// Code of the group
        group: String,
        /// The device
        imei: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Looking at the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigVerb {
    /// Print every key in force, where it was given, passwords struck out
    Print(Shape),
    /// Say whether the configuration is good; exit 1 if it is not
    Check,
}
