//! A trial of all enrollments, followed to its end: what `plan` and `backtest` share. It goes on
//! where it was when the connection breaks, and with a journal where it was when it was
//! interrupted.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tierline_proto::query::v1::trial_response::Kind;
use tierline_proto::query::v1::{
    TrialComparison, TrialCount, TrialMovement, TrialProgress, TrialResponse, TrialRows,
    TrialSummary,
};
use tonic::{Code, Status, Streaming};

use crate::client::refused;
use crate::commands::show::{json, progress, words};
use crate::output;

/// How often a broken connection is made again.
const ATTEMPTS: u32 = 5;

/// What is done with the rows of a trial.
#[derive(Debug, clap::Args)]
pub struct TrialArgs {
    /// Rows of enrollments that do not move as well.
    #[arg(long)]
    pub all: bool,
    /// Most rows to list.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub show: usize,
    /// Write every row to this file as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Keep what has come in this file while the trial runs. Interrupted, the same command goes on
    /// from there; the file is removed at the end.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

/// What came out of a trial.
#[derive(Debug, Default)]
pub struct Outcome {
    pub rows: Vec<TrialComparison>,
    /// By day, track and tier.
    counts: BTreeMap<(String, String, String), TrialCount>,
    pub summary: TrialSummary,
    /// Where to go on.
    token: String,
}

impl Outcome {
    fn take(&mut self, rows: &mut Vec<TrialComparison>, progress: &TrialProgress) {
        self.rows.append(rows);
        for one in &progress.counts {
            let key = (one.date.clone(), one.track_id.clone(), one.tier_id.clone());
            let count = self.counts.entry(key).or_insert_with(|| TrialCount {
                before: 0,
                after: 0,
                ..one.clone()
            });
            count.before += one.before;
            count.after += one.after;
        }
        self.token.clone_from(&progress.resume_token);
    }

    /// By day, by track, and from the highest tier down.
    pub fn counts(&self) -> Vec<&TrialCount> {
        let mut counts: Vec<&TrialCount> = self.counts.values().collect();
        counts.sort_by_key(|one| (&one.date, &one.track_id, one.tier_rank));
        counts
    }

    /// How many rows there are of each movement.
    pub fn movements(&self) -> BTreeMap<String, u64> {
        let mut movements = BTreeMap::new();
        for row in &self.rows {
            *movements.entry(movement(row.movement)).or_default() += 1;
        }
        movements
    }
}

/// The movement as a word.
pub fn movement(number: i32) -> String {
    TrialMovement::try_from(number).map_or_else(
        |_| number.to_string(),
        |value| words::word(value.as_str_name(), "TRIAL_MOVEMENT_"),
    )
}

/// Runs a trial to its end. `request` is what is asked, without a resume token; `start` asks it.
pub async fn follow<S>(args: &TrialArgs, request: &[u8], mut start: S) -> anyhow::Result<Outcome>
where
    S: AsyncFnMut(String) -> Result<Streaming<TrialResponse>, Status>,
{
    let mut journal = args
        .journal
        .as_deref()
        .map(|path| Journal::open(path, request))
        .transpose()?;
    let mut outcome = match &mut journal {
        Some(journal) => std::mem::take(&mut journal.found),
        None => Outcome::default(),
    };
    let bar = progress::counting("enrollments");
    let mut attempts = 0;
    loop {
        let token = outcome.token.clone();
        let ended = once(
            &mut outcome,
            journal.as_mut(),
            &bar,
            start(token.clone()).await,
        )
        .await;
        match ended {
            Ok(()) => break,
            Err(Broken::Call(status)) if is_passing(&status) && attempts < ATTEMPTS => {
                attempts = match outcome.token == token {
                    true => attempts + 1,
                    false => 1,
                };
                tokio::time::sleep(Duration::from_millis(250 << attempts)).await;
            }
            Err(Broken::Call(status)) => return Err(refused(status)),
            Err(Broken::Here(error)) => return Err(error),
        }
    }
    bar.finish_and_clear();
    if let Some(path) = &args.csv {
        write_csv(path, &outcome.rows)?;
    }
    if let Some(journal) = journal {
        journal.remove()?;
    }
    Ok(outcome)
}

/// Why a trial did not come to its end.
enum Broken {
    Call(Status),
    Here(anyhow::Error),
}

impl From<Status> for Broken {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

impl From<anyhow::Error> for Broken {
    fn from(error: anyhow::Error) -> Self {
        Self::Here(error)
    }
}

fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::ResourceExhausted | Code::Cancelled
    )
}

async fn once(
    outcome: &mut Outcome,
    mut journal: Option<&mut Journal>,
    bar: &indicatif::ProgressBar,
    stream: Result<Streaming<TrialResponse>, Status>,
) -> Result<(), Broken> {
    let mut stream = stream?;
    // Rows without a progress message after them come again.
    let mut rows = Vec::new();
    while let Some(message) = stream.message().await? {
        match message.kind {
            Some(Kind::Rows(more)) => rows.extend(more.comparisons),
            Some(Kind::Progress(progress)) => {
                bar.set_length(progress.total_enrollments);
                bar.set_position(progress.done_enrollments);
                if let Some(journal) = &mut journal {
                    journal.write(&rows, &progress)?;
                }
                outcome.take(&mut rows, &progress);
            }
            Some(Kind::Summary(summary)) => {
                outcome.summary = summary;
                return Ok(());
            }
            None => {}
        }
    }
    Err(Status::unavailable("the server ended the trial without a summary").into())
}

/// What has come so far, in a file: a line that names the request, then a line for each progress
/// message with the rows before it.
struct Journal {
    path: PathBuf,
    file: File,
    found: Outcome,
}

impl Journal {
    fn open(path: &Path, request: &[u8]) -> anyhow::Result<Self> {
        let name = format!("trial {:x}", Sha256::digest(request));
        let mut found = Outcome::default();
        let mut whole = 0;
        if path.exists() {
            let file = File::open(path).with_context(|| cannot("read", path))?;
            let mut lines = BufReader::new(file);
            let mut line = String::new();
            lines
                .read_line(&mut line)
                .with_context(|| cannot("read", path))?;
            anyhow::ensure!(
                line.trim_end() == name,
                "{} is the journal of another command, or of another version of the file; remove \
                 it, or name another",
                path.display()
            );
            whole = line.len() as u64;
            loop {
                line.clear();
                lines
                    .read_line(&mut line)
                    .with_context(|| cannot("read", path))?;
                // A line that was not written to its end is the last one.
                let Some((mut rows, progress)) = entry(&line) else {
                    break;
                };
                found.take(&mut rows, &progress);
                whole += line.len() as u64;
            }
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(|| cannot("written", path))?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            found,
        };
        journal
            .begin(whole, &name)
            .with_context(|| cannot("written", path))?;
        Ok(journal)
    }

    fn begin(&mut self, whole: u64, name: &str) -> std::io::Result<()> {
        use std::io::{Seek as _, SeekFrom};
        self.file.set_len(whole)?;
        self.file.seek(SeekFrom::End(0))?;
        if whole == 0 {
            self.file.write_all(format!("{name}\n").as_bytes())?;
        }
        Ok(())
    }

    fn write(&mut self, rows: &[TrialComparison], progress: &TrialProgress) -> anyhow::Result<()> {
        let comparisons = rows.to_vec();
        let rows = STANDARD.encode(TrialRows { comparisons }.encode_to_vec());
        let progress = STANDARD.encode(progress.encode_to_vec());
        let line = format!("{rows} {progress}\n");
        self.file
            .write_all(line.as_bytes())
            .with_context(|| cannot("written", &self.path))
    }

    fn remove(self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path).with_context(|| cannot("removed", &self.path))
    }
}

fn cannot(what: &str, path: &Path) -> String {
    format!("the journal {} cannot be {what}", path.display())
}

fn entry(line: &str) -> Option<(Vec<TrialComparison>, TrialProgress)> {
    let (rows, progress) = line.strip_suffix('\n')?.split_once(' ')?;
    let rows = TrialRows::decode(STANDARD.decode(rows).ok()?.as_slice()).ok()?;
    let progress = TrialProgress::decode(STANDARD.decode(progress).ok()?.as_slice()).ok()?;
    Some((rows.comparisons, progress))
}

/// What is in force, as a trial is asked about; printed and written the same everywhere.
const COLUMNS: [&str; 13] = [
    "date",
    "partner_id",
    "partner",
    "enrollment_id",
    "track",
    "from",
    "to",
    "movement",
    "at_risk_until",
    "criterion",
    "measured",
    "required",
    "gap",
];

fn write_csv(path: &Path, rows: &[TrialComparison]) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let mut writer = csv::Writer::from_path(path).with_context(cannot)?;
    writer.write_record(COLUMNS).with_context(cannot)?;
    for row in rows {
        let (before, after) = (row.before.clone(), row.after.clone());
        let deciding = row.deciding.first().cloned().unwrap_or_default();
        let after_tier = after.as_ref().map(|side| side.tier_id.clone());
        let at_risk = after.map(|side| side.at_risk_until_date);
        let record = [
            row.date.clone(),
            row.partner_id.clone(),
            row.partner_name.clone(),
            row.enrollment_id.clone(),
            row.track_id.clone(),
            before.map(|side| side.tier_id).unwrap_or_default(),
            after_tier.unwrap_or_default(),
            movement(row.movement),
            at_risk.unwrap_or_default(),
            deciding.name,
            deciding.measured,
            deciding.required,
            deciding.gap,
        ];
        writer.write_record(record).with_context(cannot)?;
    }
    writer.flush().with_context(cannot)
}

/// The outcome as a program reads it.
pub fn as_json(outcome: &Outcome) -> anyhow::Result<serde_json::Value> {
    let counts: Vec<TrialCount> = outcome.counts().into_iter().cloned().collect();
    Ok(serde_json::json!({
        "comparisons": json::all("query.v1.TrialComparison", &outcome.rows)?,
        "tiers": json::all("query.v1.TrialCount", &counts)?,
        "movements": outcome.movements(),
        "summary": json::of("query.v1.TrialSummary", &outcome.summary)?,
    }))
}

/// Prints rows, movements and tiers.
pub fn print(outcome: &Outcome, show: usize, with_dates: bool) {
    let listed = outcome.rows.iter().take(show);
    let mut headings = vec!["partner", "from", "to", "what", "decided by"];
    if with_dates {
        headings.insert(0, "on");
    }
    if !outcome.rows.is_empty() {
        output::table(&headings, listed.map(|row| line(row, with_dates)));
        let hidden = outcome.rows.len().saturating_sub(show);
        if hidden > 0 {
            let hidden = words::counted(hidden as u64, "more row");
            output::line(format!("and {hidden} (--show N, --csv FILE)"));
        }
        output::line("");
    }
    let mut headings = vec!["track", "tier", "before", "after"];
    if with_dates {
        headings.insert(0, "on");
    }
    let counts = outcome.counts().into_iter().map(|one| {
        let mut cells = vec![
            one.track_id.clone(),
            one.tier_name.clone(),
            words::grouped(one.before),
            words::grouped(one.after),
        ];
        if with_dates {
            cells.insert(0, one.date.clone());
        }
        cells
    });
    output::table(&headings, counts);
    let movements: Vec<String> = outcome
        .movements()
        .into_iter()
        .filter(|(what, _)| what != "unchanged")
        .map(|(what, number)| format!("{} {}", words::grouped(number), what.replace('_', " ")))
        .collect();
    let moved = match movements.as_slice() {
        [] => "nobody moves".to_owned(),
        some => some.join(", "),
    };
    output::line("");
    output::line(format!(
        "{}: {moved}",
        words::counted(outcome.summary.enrollments, "enrollment")
    ));
}

fn line(row: &TrialComparison, with_date: bool) -> Vec<String> {
    let partner = match row.partner_name.as_str() {
        "" => row.partner_id.clone(),
        name => name.to_owned(),
    };
    let tier = |side: &Option<tierline_proto::query::v1::TrialStand>| {
        side.as_ref()
            .map_or_else(|| "-".to_owned(), |side| side.tier_name.clone())
    };
    let mut what = movement(row.movement).replace('_', " ");
    let at_risk = row.after.as_ref().map(|side| &side.at_risk_until_date);
    if let Some(until) = at_risk.filter(|until| !until.is_empty()) {
        what = format!("{what}, lost on {until}");
    }
    let decided = row.deciding.iter().map(|one| {
        let measured = match one.measured.as_str() {
            "" => "not known",
            measured => measured,
        };
        format!("{}: {measured} of {}", one.name, one.required)
    });
    let mut decided: Vec<String> = decided.collect();
    if decided.len() > 2 {
        let more = decided.len() - 2;
        decided.truncate(2);
        decided.push(format!("and {more} more"));
    }
    let mut cells = vec![
        partner,
        tier(&row.before),
        tier(&row.after),
        what,
        decided.join("; "),
    ];
    if with_date {
        cells.insert(0, row.date.clone());
    }
    cells
}
