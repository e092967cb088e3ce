//! The list of subcommands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client::ClientFlags;
use crate::commands;
use crate::output::OutputFlags;

/// Runs partner programs and keeps every partner's tier right, at all times, with proof.
#[derive(Debug, Parser)]
#[command(
    name = "tierline",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    client: ClientFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(subcommand)]
    command: Command,
}

/// What every command that talks to a server needs.
#[derive(Debug, Clone)]
pub struct Globals {
    /// Where the server is and which token to show.
    pub client: ClientFlags,
    /// How to print.
    pub output: OutputFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything in one process, with a PostgreSQL of its own.
    Up(commands::up::UpArgs),
    /// Run some or all parts against a given PostgreSQL.
    Serve(commands::serve::ServeArgs),
    /// List the parts that `serve` can run.
    Targets(commands::targets::TargetsArgs),
    /// Print the effective configuration, or explain a key.
    Config(commands::config::ConfigArgs),
    /// Bring the database schema up to date.
    Migrate(commands::migrate::MigrateArgs),
    /// Make accounts of the database with the least rights.
    Database(commands::database::DatabaseArgs),
    /// Create an org, show it, move its clock.
    Org(commands::org::OrgArgs),
    /// Publish, check and show programs.
    Program(commands::program::ProgramArgs),
    /// Application forms: publish them, submit them, decide about submissions.
    Application(commands::application::ApplicationArgs),
    /// Exchange rates: those of a day, and what an amount is worth by them.
    Rates(commands::rates::RatesArgs),
    /// Parts of the partners: define them, list who is in them and why.
    Segment(commands::segment::SegmentArgs),
    /// Images of the badges of tiers: upload, list, get.
    Badge(commands::badge::BadgeArgs),
    /// The benefits library: define benefits, list who has which and why.
    Benefit(commands::benefit::BenefitArgs),
    /// Enroll partners in programs.
    Enroll(commands::enroll::EnrollArgs),
    /// Move the clock of a sandbox org step by step.
    Clock(commands::clock::ClockArgs),
    /// Make a token with the local key.
    Token(commands::token::TokenArgs),
    /// Create, list, rotate and revoke API keys.
    Key(commands::key::KeyArgs),
    /// Measure this machine.
    Bench(commands::bench::BenchArgs),
    /// Import a file from another system through a mapping.
    Import(commands::import::ImportArgs),
    /// Load the demonstration org.
    Demo(commands::demo::DemoArgs),
    /// Look at partners.
    Partners(commands::partners::PartnersArgs),
    /// Look at where partners stand.
    Standing(commands::standing::StandingArgs),
    /// Say where a partner would stand with deals that have not happened.
    WhatIf(commands::what_if::WhatIfArgs),
    /// Say why a partner has its tier, or what a decision rests on.
    Explain(commands::explain::ExplainArgs),
    /// Decisions about tiers, their evidence, and their proof.
    Audit(commands::audit::AuditArgs),
    /// Check the server, the data folder and the database.
    Doctor(commands::doctor::DoctorArgs),
    /// Ask the process of this machine whether it is ready.
    Ready(commands::ready::ReadyArgs),
    /// Build a read model afresh from the log.
    Rebuild(commands::rebuild::RebuildArgs),
    /// The lives of the log: list them, or declare a new one after a restore.
    Log(commands::log::LogArgs),
    /// Compare what is stored with what the log says.
    Verify(commands::verify::VerifyArgs),
}

impl Cli {
    /// Carries out the command.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let globals = Globals {
            client: self.client,
            output: self.output,
        };
        match self.command {
            Command::Up(args) => commands::up::run(args, &globals).await,
            Command::Serve(args) => commands::serve::run(args).await,
            Command::Targets(args) => commands::targets::run(args, &globals),
            Command::Config(args) => commands::config::run(args, &globals),
            Command::Migrate(args) => commands::migrate::run(args).await,
            Command::Database(args) => commands::database::run(args, &globals).await,
            Command::Partners(args) => commands::partners::run(args, &globals).await,
            Command::Standing(args) => commands::standing::run(args, &globals).await,
            Command::WhatIf(args) => commands::what_if::run(args, &globals).await,
            Command::Explain(args) => commands::explain::run(args, &globals).await,
            Command::Audit(args) => commands::audit::run(args, &globals).await,
            Command::Doctor(args) => commands::doctor::run(args, &globals).await,
            Command::Ready(args) => commands::ready::run(args).await,
            Command::Rebuild(args) => commands::rebuild::run(args, &globals).await,
            Command::Log(args) => commands::log::run(args, &globals).await,
            Command::Verify(args) => commands::verify::run(args, &globals).await,
            Command::Org(args) => commands::org::run(args, &globals).await,
            Command::Program(args) => commands::program::run(args, &globals).await,
            Command::Application(args) => commands::application::run(args, &globals).await,
            Command::Rates(args) => commands::rates::run(args, &globals).await,
            Command::Segment(args) => commands::segment::run(args, &globals).await,
            Command::Badge(args) => commands::badge::run(args, &globals).await,
            Command::Benefit(args) => commands::benefit::run(args, &globals).await,
            Command::Enroll(args) => commands::enroll::run(args, &globals).await,
            Command::Clock(args) => commands::clock::run(args, &globals).await,
            Command::Token(args) => commands::token::run(args, &globals),
            Command::Key(args) => commands::key::run(args, &globals).await,
            Command::Bench(args) => commands::bench::run(args, &globals).await,
            Command::Import(args) => commands::import::run(args, &globals).await,
            Command::Demo(args) => commands::demo::run(args, &globals).await,
        }
    }
}
