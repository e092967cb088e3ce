//! `tierline application ...`: forms, submissions and their review

mod forms;
mod submissions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tierline_proto::query::v1::application_query_service_client::ApplicationQueryServiceClient;
use tierline_proto::query::v1::{ListFormsRequest, ListSubmissionsRequest};
use tierline_rpc::status::{READ_MODEL_BEHIND, reason_of};
use tonic::Status;

use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::output;

/// Largest file that is read, in bytes; the reader of forms and submissions takes no more.
const MAX_FILE: u64 = 1024 * 1024;
/// Largest page that a server gives.
const MAX_PAGE: usize = 1_000;
/// Longest wait for a list to show what was just done.
const PATIENCE: Duration = Duration::from_secs(30);

/// Application forms, what is submitted through them, and what is decided.
#[derive(Debug, clap::Args)]
pub struct ApplicationArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Keep a draft of a form; creates the form if need be.
    Define {
        /// The form in YAML.
        file: PathBuf,
        /// Check and tell only.
        #[arg(long)]
        dry_run: bool,
    },
    /// Publish the draft of a form as its next version, which takes submissions from then on.
    Publish {
        /// The form.
        form: String,
    },
    /// List the forms.
    Forms,
    /// Show a form.
    #[command(disable_version_flag = true)]
    Form {
        /// The form.
        form: String,
        /// Show this version. Default: the newest, or the draft before the first.
        #[arg(long, value_name = "NUMBER")]
        version: Option<u32>,
        /// Print it as YAML.
        #[arg(long)]
        yaml: bool,
    },
    /// Submit a form that was filled in.
    ///
    /// The file names the form, the answers by the identifiers of their fields, and the sections
    /// whose agreements are accepted: `{form: resellers, answers: {company: Nova}, accept:
    /// [terms]}`. A version may be named; it has to be the newest.
    Submit(submissions::SubmitArgs),
    /// List submissions, the newest first. What applicants wrote is not in the list.
    ///
    /// A filter compares fields with values: `state = pending AND submit_time > 2026-03-01`.
    /// Fields: submission_id, form, form_version, state, decided_by, submit_time, decide_time.
    List(submissions::ListArgs),
    /// Show a submission with its answers.
    Show {
        /// The submission.
        submission: String,
    },
    /// Welcome an applicant. Creates no partner by itself.
    Approve {
        /// The submission.
        submission: String,
        /// A note for the org.
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Decline an applicant.
    Reject {
        /// The submission.
        submission: String,
        /// Why; a note for the org.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

pub async fn run(args: ApplicationArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Define { file, dry_run } => forms::define(&file, dry_run, globals).await?,
        What::Publish { form } => forms::publish(form, globals).await?,
        What::Forms => forms::list(globals).await?,
        What::Form {
            form,
            version,
            yaml,
        } => forms::show(form, version, yaml, globals).await?,
        What::Submit(args) => submissions::submit(args, globals).await?,
        What::List(args) => submissions::list(args, globals).await?,
        What::Show { submission } => submissions::show(submission, globals).await?,
        What::Approve { submission, note } => {
            submissions::approve(submission, note, globals).await?;
        }
        What::Reject { submission, note } => {
            submissions::reject(submission, note, globals).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a file; a far too large one is not read to its end.
fn read(file: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("{} cannot be read", file.display());
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    anyhow::ensure!(
        size <= MAX_FILE,
        "{} has {size} bytes; at most {MAX_FILE} are read",
        file.display()
    );
    std::fs::read_to_string(file).with_context(unreadable)
}

/// A request id of this call, for the server to know a repetition by.
fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Waits until the lists show what a command did.
async fn shown(channel: &Authorized, token: &str) -> anyhow::Result<()> {
    if token.is_empty() {
        return Ok(());
    }
    let until = Instant::now() + PATIENCE;
    while behind(channel, token).await.map_err(refused)? {
        if Instant::now() >= until {
            output::note("what was done is stored; lists do not show it yet");
            return Ok(());
        }
    }
    Ok(())
}

/// One round; the server itself waits for some seconds before it says that it is behind.
async fn behind(channel: &Authorized, token: &str) -> Result<bool, Status> {
    let mut client = ApplicationQueryServiceClient::new(channel.clone());
    let forms = ListFormsRequest {
        page_size: 1,
        consistency_token: token.to_owned(),
        ..Default::default()
    };
    let submissions = ListSubmissionsRequest {
        page_size: 1,
        consistency_token: token.to_owned(),
        ..Default::default()
    };
    let forms = client.list_forms(forms).await.map(|_| ());
    let submissions = client.list_submissions(submissions).await.map(|_| ());
    for answer in [forms, submissions] {
        match answer {
            Err(status) if reason_of(&status).as_deref() == Some(READ_MODEL_BEHIND) => {
                return Ok(true);
            }
            answer => answer?,
        }
    }
    Ok(false)
}
