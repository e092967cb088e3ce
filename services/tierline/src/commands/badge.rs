//! `tierline badge`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::badge_service_client::BadgeServiceClient;

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::{json as messages, words};
use crate::output;

/// Images of the badges of tiers.
#[derive(Debug, clap::Args)]
pub struct BadgeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep an image and print its name, for the `badge` of a tier.
    Upload {
        /// A PNG, JPEG or WebP file of at most 262144 bytes, from 16 to 2048 pixels on a side.
        file: PathBuf,
        /// Check only.
        #[arg(long)]
        dry_run: bool,
    },
    /// List the images.
    List,
    /// Write an image to a file.
    Get {
        /// Its name: "sha256:" and 64 digits.
        badge: String,
        /// The file to write.
        file: PathBuf,
    },
}

pub async fn run(args: BadgeArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let mut client = BadgeServiceClient::new(globals.client.connect().await?);
    match args.what {
        What::Upload { file, dry_run } => {
            let unreadable = || format!("{} cannot be read", file.display());
            let image = std::fs::read(&file).with_context(unreadable)?;
            let request = program::UploadBadgeRequest {
                image,
                validate_only: dry_run,
            };
            let badge = client.upload_badge(request).await.map_err(refused)?;
            show(&badge.into_inner(), globals)?;
        }
        What::List => {
            let request = program::ListBadgesRequest {};
            let listed = client.list_badges(request).await.map_err(refused)?;
            list(&listed.into_inner().badges, globals)?;
        }
        What::Get { badge, file } => {
            let request = program::GetBadgeRequest { badge };
            let found = client.get_badge(request).await.map_err(refused)?;
            let found = found.into_inner();
            let unwritable = || format!("{} cannot be written", file.display());
            std::fs::write(&file, &found.image).with_context(unwritable)?;
            show(&found.badge.unwrap_or_default(), globals)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The kept image, as a line that a tier can take.
fn show(badge: &program::Badge, globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        let all = messages::all("program.v1.Badge", std::slice::from_ref(badge))?;
        return output::json(&all[0]);
    }
    output::line(format!("badge: {}", badge.badge));
    output::line(format!(
        "{}, {} by {} pixels, {}",
        badge.media_type,
        badge.width,
        badge.height,
        words::counted(badge.size_bytes.into(), "byte")
    ));
    Ok(())
}

fn list(badges: &[program::Badge], globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        let badges = messages::all("program.v1.Badge", badges)?;
        return output::json(&json!({"badges": badges}));
    }
    if !badges.is_empty() {
        let rows = badges.iter().map(|one| {
            [
                one.badge.clone(),
                one.media_type.clone(),
                format!("{} by {}", one.width, one.height),
                words::grouped(one.size_bytes.into()),
            ]
        });
        output::table(&["badge", "type", "pixels", "bytes"], rows);
    }
    output::line(words::counted(badges.len() as u64, "image"));
    Ok(())
}
