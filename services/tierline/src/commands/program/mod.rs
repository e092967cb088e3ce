//! `tierline program apply|validate|lint|plan|backtest|test|mutate|diff|export|schema|show`, and
//! `history|copy|archive|restore`

mod archive;
mod backtest;
mod copy;
mod diff;
mod export;
mod history;
mod lint;
mod mutate;
mod plan;
pub mod source;
mod test;
mod transition;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use jiff::civil::Date;
use tierline_domain::program::yaml::MAX_YAML_BYTES;
use tierline_domain::program::{program_from_yaml, validate};
use tierline_domain::{Rejection, Violation};
use tierline_proto::program::v1::apply_program_request::Content;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{
    ApplyProgramRequest, GetProgramRequest, GetProgramVersionRequest, Program,
    get_program_version_request::Selector,
};

pub use trial::movement;

use crate::cli::Globals;
use crate::client::refused;
use crate::output;

/// Publishes, checks and shows programs.
#[derive(Debug, clap::Args)]
pub struct ProgramArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Publish a definition as the next version of its program.
    Apply(ApplyArgs),
    /// Check a definition, without any server.
    Validate {
        /// The definition in YAML.
        file: PathBuf,
    },
    /// Find what is allowed in program files and probably not meant, without any server.
    Lint(lint::LintArgs),
    /// Run the cases that program files carry, without any server.
    Test(test::TestArgs),
    /// Change every number and operator of program files a little, and name what no case notices.
    Mutate(mutate::MutateArgs),
    /// Print the JSON Schema of program files, for editors.
    Schema,
    /// Print what publishing a definition would change, and which partners would move.
    Plan(plan::PlanArgs),
    /// Try a definition on the past: who would have stood where at the ends of past periods.
    Backtest(backtest::BacktestArgs),
    /// Print what differs between two definitions.
    Diff(diff::DiffArgs),
    /// Write a published version as a program file.
    #[command(disable_version_flag = true)]
    Export(export::ExportArgs),
    /// Show a program and its versions.
    #[command(disable_version_flag = true)]
    Show(ShowArgs),
    /// List the published versions, with their authors and how much they changed.
    History(history::HistoryArgs),
    /// Copy a program: its content becomes the draft of a new one.
    #[command(disable_version_flag = true)]
    Copy(copy::CopyArgs),
    /// Take no more versions and no more enrollments.
    Archive(archive::ArchiveArgs),
    /// Take versions and enrollments again.
    Restore(archive::ArchiveArgs),
}

#[derive(Debug, clap::Args)]
struct ApplyArgs {
    /// The definition in YAML.
    file: PathBuf,
    /// The first day on which it is in force. Default: today in the org.
    #[arg(long, value_name = "DATE")]
    effective: Option<Date>,
    /// From when on tiers may be lost under it: now, next-review, or a date. Default: now, from its
    /// first day.
    #[arg(long, value_name = "WHEN", default_value = "now")]
    losses_from: transition::From,
    /// Why it is published; kept in the history of versions.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Check and tell only.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The program.
    program: String,
    /// Print the definition of this version. Default: the one in force.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// Print the definition alone.
    #[arg(long)]
    yaml: bool,
}

pub async fn run(args: ProgramArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Apply(args) => apply(args, globals).await,
        What::Validate { file } => check(&file, globals),
        What::Lint(args) => lint::run(&args, globals),
        What::Test(args) => test::run(&args, globals),
        What::Mutate(args) => mutate::run(&args, globals),
        What::Plan(args) => plan::run(args, globals).await,
        What::Backtest(args) => backtest::run(args, globals).await,
        What::Diff(args) => diff::run(&args, globals).await,
        What::Export(args) => export::run(&args, globals).await,
        What::Schema => {
            output::json(&tierline_domain::schema::program_schema())?;
            Ok(ExitCode::SUCCESS)
        }
        What::Show(args) => show(args, globals).await,
        What::History(args) => history::run(&args, globals).await,
        What::Copy(args) => copy::run(args, globals).await,
        What::Archive(args) => archive::archive(args, globals).await,
        What::Restore(args) => archive::restore(args, globals).await,
    }
}

/// Reads a definition; a far too large file is not read to its end.
fn read(file: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(file).map(|meta| meta.len());
    let size = size.with_context(|| format!("{} cannot be read", file.display()))?;
    anyhow::ensure!(
        usize::try_from(size).is_ok_and(|size| size <= MAX_YAML_BYTES),
        "{} has {size} bytes; a definition has at most {MAX_YAML_BYTES}",
        file.display()
    );
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

async fn apply(args: ApplyArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let request = ApplyProgramRequest {
        content: Some(Content::Yaml(read(&args.file)?)),
        effective_date: args
            .effective
            .map(|date| date.to_string())
            .unwrap_or_default(),
        note: args.note,
        validate_only: args.dry_run,
        transition: args.losses_from.message(),
        ..ApplyProgramRequest::default()
    };
    let channel = globals.client.connect().await?;
    let answer = ProgramServiceClient::new(channel)
        .apply_program(request)
        .await;
    let answer = answer.map_err(refused)?.into_inner();
    let program = answer.program.unwrap_or_default();
    let effective = program
        .versions
        .iter()
        .find(|known| known.version == answer.version)
        .map(|known| known.effective_date.clone())
        .unwrap_or_default();
    if globals.output.json() {
        output::json(&serde_json::json!({
            "program_id": program.program_id,
            "version": answer.version,
            "effective_date": effective,
            "published": answer.published && !args.dry_run,
            "dry_run": args.dry_run,
            "findings": answer.findings.iter().map(lint::sent_json).collect::<Vec<_>>(),
            "consistency_token": answer.consistency_token,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (id, version) = (&program.program_id, answer.version);
    output::line(match (answer.published, args.dry_run) {
        (true, false) => format!("Published {id} version {version}, in force from {effective}."),
        (true, true) => format!("Would publish {id} version {version}. Nothing was stored."),
        (false, _) => format!("Unchanged: version {version} of {id} says just this already."),
    });
    lint::print_sent(&answer.findings);
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path, globals: &Globals) -> anyhow::Result<ExitCode> {
    let read = program_from_yaml(&read(file)?);
    let checked = read.and_then(|definition| validate(&definition).map(|()| definition));
    let (name, violations, remarks) = match &checked {
        Ok(definition) => (definition.slug.clone(), Vec::new(), lint::lint(definition)),
        Err(wrong) => (String::new(), violations(wrong), Vec::new()),
    };
    if globals.output.json() {
        let violations: Vec<_> = violations
            .iter()
            .map(|one| serde_json::json!({"field": one.field, "description": one.description}))
            .collect();
        let findings: Vec<_> = remarks.iter().map(lint::json).collect();
        output::json(&serde_json::json!({
            "valid": checked.is_ok(),
            "program_id": name,
            "violations": violations,
            "findings": findings,
        }))?;
    } else if checked.is_ok() {
        output::line(format!(
            "{} is a valid definition of program {name}.",
            file.display()
        ));
        lint::print_shortly(&remarks);
    } else {
        output::problem(&format!("{} is no valid definition", file.display()));
        for one in &violations {
            output::note(&format!("  {}: {}", one.field, one.description));
        }
    }
    Ok(if checked.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every violation of a refusal, or the refusal itself where it names none.
fn violations(wrong: &Rejection) -> Vec<Violation> {
    if wrong.violations.is_empty() {
        let field = "definition".to_owned();
        return vec![Violation {
            field,
            description: wrong.to_string(),
        }];
    }
    wrong.violations.clone()
}

async fn show(args: ShowArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let mut client = ProgramServiceClient::new(globals.client.connect().await?);
    let request = GetProgramRequest {
        program_id: args.program.clone(),
    };
    let program = client
        .get_program(request)
        .await
        .map_err(refused)?
        .into_inner();
    let wanted = args.version.or(match program.version_in_force {
        0 => Some(program.newest_version),
        number => Some(number),
    });
    let mut yaml = String::new();
    if let Some(number) = wanted.filter(|number| *number > 0) {
        let request = GetProgramVersionRequest {
            program_id: args.program,
            selector: Some(Selector::Version(number)),
        };
        yaml = client
            .get_program_version(request)
            .await
            .map_err(refused)?
            .into_inner()
            .yaml;
    }
    if args.yaml {
        output::line(yaml.trim_end());
    } else if globals.output.json() {
        print_json(&program, &yaml)?;
    } else {
        print(&program);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(program: &Program, yaml: &str) -> anyhow::Result<()> {
    let versions: Vec<_> = program
        .versions
        .iter()
        .map(|one| {
            serde_json::json!({
                "version": one.version, "effective_date": one.effective_date, "note": one.note,
            })
        })
        .collect();
    output::json(&serde_json::json!({
        "program_id": program.program_id,
        "name": program.name,
        "description": program.description,
        "newest_version": program.newest_version,
        "version_in_force": program.version_in_force,
        "archived": program.archived,
        "unchanged_since_date": program.unchanged_since_date,
        "has_draft": program.draft.is_some(),
        "versions": versions,
        "etag": program.etag,
        "yaml": yaml,
    }))
}

fn print(program: &Program) {
    output::line(format!("{} ({})", program.name, program.program_id));
    if !program.description.is_empty() {
        output::line(program.description.trim_end());
    }
    if program.archived {
        output::line("Archived: it takes no more versions and no more enrollments.");
    }
    if !program.unchanged_since_date.is_empty() {
        output::line(format!(
            "Requirements, policies and benefits are the same since {}: worth a second look.",
            program.unchanged_since_date
        ));
    }
    if program.draft.is_some() {
        output::line("A draft of the next version is kept.");
    }
    output::line("");
    let rows = program.versions.iter().map(|one| {
        let in_force = one.version == program.version_in_force;
        [
            one.version.to_string(),
            one.effective_date.clone(),
            if in_force { "yes" } else { "" }.to_owned(),
            one.note.clone(),
        ]
    });
    output::table(&["version", "effective", "in force", "note"], rows);
    output::line("");
    output::line(format!(
        "Its definition: tierline program show {} --yaml",
        program.program_id
    ));
}
