//! `tierline doctor`: is everything well, and if not, what to do.
//!
//! `gather.rs` asks the server, the folder and the database; `checks.rs` judges what they said.

mod checks;
mod gather;

use std::process::ExitCode;

use serde_json::json;

use self::checks::{Check, Level};
use super::direct::DatabaseFlags;
use crate::cli::Globals;
use crate::output;

/// Checks the server, the data folder and the database.
///
/// The database is asked directly: that of --database-url, else that of `tierline up`. When no
/// server runs, what can be checked without one still is.
///
/// Exit code: 0 when all is well, 1 when something needs attention, 2 when something is broken.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    database: DatabaseFlags,
}

pub async fn run(args: DoctorArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let found = gather::all(&args.database, &globals.client).await;
    let checks = checks::judge(&found);
    let worst = checks.iter().map(|check| check.level).max();
    let worst = worst.unwrap_or(Level::Ok);
    if globals.output.json() {
        let shown: Vec<_> = checks.iter().map(as_json).collect();
        output::json(&json!({"worst": worst.word(), "checks": shown}))?;
    } else {
        for check in &checks {
            for line in lines(check) {
                output::line(line);
            }
        }
    }
    Ok(ExitCode::from(worst.exit_code()))
}

fn lines(check: &Check) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<5} {:<14} {}",
        check.level.word(),
        check.name,
        check.text
    )];
    if !check.advice.is_empty() {
        lines.push(format!("{:<20} → {}", "", check.advice));
    }
    lines
}

fn as_json(check: &Check) -> serde_json::Value {
    json!({
        "check": check.name, "level": check.level.word(), "text": check.text,
        "advice": check.advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_and_its_advice_another() {
        let mut check = Check {
            name: "disk",
            level: Level::Warn,
            text: "1.5 GiB free".into(),
            advice: String::new(),
        };
        assert_eq!(lines(&check), ["warn  disk           1.5 GiB free"]);
        check.advice = "make room".into();
        assert_eq!(lines(&check)[1], "                     → make room");
    }
}
