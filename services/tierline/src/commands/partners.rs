//! `tierline partners list` and `tierline partners show PARTNER`

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::partner::v1::{GetPartnerRequest, Partner};
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_proto::query::v1::{
    GetPartnerViewRequest, GroupCount, ListPartnersRequest, ListStandingsRequest, PartnerSummary,
    PartnerView,
};
use tonic::Code;

use super::audit::history::change_text;
use super::show::partner::quoted;
use super::show::{json, partner, text, words};
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::output;

/// Largest page that a server gives.
const MAX_PAGE: usize = 1_000;
/// Partners about whose review is asked at a time; as many as a filter can name.
const REVIEW_CHUNK: usize = 40;

/// Looks at partners.
#[derive(Debug, clap::Args)]
pub struct PartnersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The partners table: filtered, ordered, or counted by group.
    ///
    /// A filter compares fields with values: `tier = "gold" AND (region : "EMEA" OR type =
    /// reseller)`. OR binds tighter than AND; `:` means "contains" for texts and "has" for lists.
    /// Fields: partner_id, name, domain, type, status, stage, region, tag, manager, industry,
    /// program, track, tier, segment, create_time, update_time.
    ///
    /// Exit code: 0, also for an empty list; 1 when the server refused.
    List(ListArgs),
    /// A partner with its contacts, enrollments and latest decisions.
    ///
    /// Exit code: 0 when the partner was found, 1 when not or when the server refused.
    Show {
        /// The partner: its identifier, its domain or its exact name.
        partner: String,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only partners that pass this condition.
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Only partners whose name or domain contains this text.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Order, such as `tier, name` or `create_time desc`. Over name, partner_id, domain, tier,
    /// create_time, update_time.
    #[arg(long, value_name = "ORDER")]
    order_by: Option<String>,
    /// Count partners instead: by type, status, stage, tier, region, program, tag or segment.
    #[arg(long, value_name = "FIELD")]
    group_by: Option<String>,
    /// Most partners to list; 0 for all.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
}

pub async fn run(args: PartnersArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::List(args) => list(args, globals).await?,
        What::Show { partner } => show(&partner, globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl ListArgs {
    fn condition(&self) -> String {
        let searched = self.search.as_deref().map(|wanted| {
            let wanted = quoted(wanted);
            format!("(name : {wanted} OR domain : {wanted})")
        });
        let given = self.filter.as_deref().map(str::trim);
        match (given.filter(|given| !given.is_empty()), searched) {
            (Some(given), Some(searched)) => format!("({given}) AND {searched}"),
            (Some(given), None) => given.to_owned(),
            (None, Some(searched)) => searched,
            (None, None) => String::new(),
        }
    }

    fn request(&self) -> ListPartnersRequest {
        ListPartnersRequest {
            filter: self.condition(),
            order_by: self.order_by.clone().unwrap_or_default(),
            group_by: self.group_by.clone().unwrap_or_default(),
            ..Default::default()
        }
    }
}

async fn list(args: ListArgs, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    if let Some(field) = &args.group_by {
        let mut request = args.request();
        request.page_size = 1;
        let answer = PartnerQueryServiceClient::new(channel)
            .list_partners(request)
            .await
            .map_err(refused)?
            .into_inner();
        return print_groups(field, &answer.groups, answer.total_size, globals);
    }
    let (partners, total) = pages(&channel, &args).await?;
    let reviewed = under_review(&channel, &partners).await?;
    if globals.output.json() {
        let mut rows = Vec::with_capacity(partners.len());
        for one in &partners {
            let mut row = json::of("query.v1.PartnerSummary", one)?;
            if let (Some(object), Some(reviewed)) = (row.as_object_mut(), &reviewed) {
                let flag = reviewed.contains(&one.partner_id);
                object.insert("under_review".to_owned(), json!(flag));
            }
            rows.push(row);
        }
        return output::json(&json!({"partners": rows, "total_size": total}));
    }
    print_partners(&partners, reviewed.as_ref());
    let shown = partners.len() as u64;
    if shown < total {
        output::line(format!(
            "{} of {}; --limit 0 lists all",
            words::grouped(shown),
            words::counted(total, "partner")
        ));
    } else {
        output::line(words::counted(total, "partner"));
    }
    Ok(())
}

/// Follows the pages up to the limit. Also gives how many partners pass the filter.
async fn pages(
    channel: &Authorized,
    args: &ListArgs,
) -> anyhow::Result<(Vec<PartnerSummary>, u64)> {
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        args.limit
    };
    let mut client = PartnerQueryServiceClient::new(channel.clone());
    let mut request = args.request();
    let mut partners: Vec<PartnerSummary> = Vec::new();
    loop {
        let size = (limit - partners.len()).min(MAX_PAGE);
        request.page_size = i32::try_from(size)?;
        let answer = client.list_partners(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        partners.extend(answer.partners);
        if answer.next_page_token.is_empty() || partners.len() >= limit {
            partners.truncate(limit);
            return Ok((partners, answer.total_size));
        }
        request.page_token = answer.next_page_token;
    }
}

/// Which of the partners have standings that may be out of date; `None` when the caller may not
/// see standings.
async fn under_review(
    channel: &Authorized,
    partners: &[PartnerSummary],
) -> anyhow::Result<Option<BTreeSet<String>>> {
    let mut client = StandingQueryServiceClient::new(channel.clone());
    let mut found = BTreeSet::new();
    let enrolled: Vec<&PartnerSummary> = partners
        .iter()
        .filter(|one| !one.enrollments.is_empty())
        .collect();
    for chunk in enrolled.chunks(REVIEW_CHUNK) {
        let terms = chunk
            .iter()
            .map(|one| format!("partner_id = {}", quoted(&one.partner_id)));
        let mut request = ListStandingsRequest {
            filter: terms.collect::<Vec<_>>().join(" OR "),
            page_size: i32::try_from(MAX_PAGE)?,
            without_progress: true,
            ..Default::default()
        };
        loop {
            let answer = match client.list_standings(request.clone()).await {
                Err(status) if status.code() == Code::PermissionDenied => return Ok(None),
                answer => answer.map_err(refused)?.into_inner(),
            };
            let standings = answer.standings.into_iter();
            found.extend(
                standings
                    .filter(|one| one.under_review)
                    .map(|one| one.partner_id),
            );
            if answer.next_page_token.is_empty() {
                break;
            }
            request.page_token = answer.next_page_token;
        }
    }
    Ok(Some(found))
}

fn print_groups(
    field: &str,
    groups: &[GroupCount],
    total: u64,
    globals: &Globals,
) -> anyhow::Result<()> {
    if globals.output.json() {
        let groups = json::all("query.v1.GroupCount", groups)?;
        return output::json(&json!({"group_by": field, "groups": groups, "total_size": total}));
    }
    let rows = groups.iter().map(|one| {
        let group = if one.group.is_empty() {
            "(none)"
        } else {
            &one.group
        };
        [group.to_owned(), words::grouped(one.count)]
    });
    output::table(&[field, "partners"], rows);
    output::line(words::counted(total, "partner"));
    Ok(())
}

fn print_partners(partners: &[PartnerSummary], reviewed: Option<&BTreeSet<String>>) {
    if partners.is_empty() {
        return;
    }
    let headings = [
        "id", "name", "type", "tier", "programs", "region", "status", "review",
    ];
    let rows = partners.iter().map(|one| {
        let review = match reviewed {
            Some(reviewed) if reviewed.contains(&one.partner_id) => "under review",
            Some(_) => "",
            None => "?",
        };
        let (tiers, programs) = enrollments(one);
        [
            one.partner_id.clone(),
            text::shorten(&one.name, 40),
            words::partner_type(one.r#type),
            tiers,
            programs,
            text::shorten(&one.regions.join(", "), 24),
            words::partner_status(one.status),
            review.to_owned(),
        ]
    });
    output::table(&headings, rows);
}

/// Tiers and programs of the running enrollments, in the same order, the best first.
fn enrollments(one: &PartnerSummary) -> (String, String) {
    let mut running: Vec<_> = one.enrollments.iter().filter(|line| !line.closed).collect();
    running.sort_by_key(|line| (line.tier_id.is_empty(), line.tier_rank));
    let tier = |name: &str| {
        if name.is_empty() {
            "-".to_owned()
        } else {
            name.to_owned()
        }
    };
    let tiers: Vec<String> = running.iter().map(|line| tier(&line.tier_name)).collect();
    let programs: Vec<&str> = running
        .iter()
        .map(|line| line.program_id.as_str())
        .collect();
    (tiers.join(", "), programs.join(", "))
}

async fn show(named: &str, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let found = partner::find(&channel, named).await?;
    let request = GetPartnerViewRequest {
        partner_id: found.id.clone(),
        ..Default::default()
    };
    let view = PartnerQueryServiceClient::new(channel.clone())
        .get_partner_view(request)
        .await
        .map_err(refused)?
        .into_inner();
    let request = GetPartnerRequest {
        partner_id: found.id,
    };
    let profile = match PartnerServiceClient::new(channel)
        .get_partner(request)
        .await
    {
        Err(status) if status.code() == Code::PermissionDenied => None,
        answer => Some(answer.map_err(refused)?.into_inner()),
    };
    if globals.output.json() {
        let mut shown = json::of("query.v1.PartnerView", &view)?;
        if let (Some(object), Some(profile)) = (shown.as_object_mut(), &profile) {
            let profile = json::of("partner.v1.Partner", profile)?;
            object.insert("profile".to_owned(), profile);
        }
        return output::json(&shown);
    }
    for line in view_lines(&view, profile.as_ref()) {
        output::line(line);
    }
    Ok(())
}

fn view_lines(view: &PartnerView, profile: Option<&Partner>) -> Vec<String> {
    let Some(one) = &view.partner else {
        return Vec::new();
    };
    let mut lines = vec![format!("{} ({})", one.name, one.partner_id)];
    let mut rows = vec![
        ["domain", &one.domain].map(str::to_owned),
        ["type".to_owned(), words::partner_type(one.r#type)],
        ["status".to_owned(), words::partner_status(one.status)],
        ["stage".to_owned(), words::partner_stage(one.stage)],
        ["regions".to_owned(), one.regions.join(", ")],
        ["tags".to_owned(), one.tags.join(", ")],
        ["manager".to_owned(), one.manager.clone()],
        [
            "created".to_owned(),
            words::second(one.create_time.as_ref()),
        ],
        [
            "changed".to_owned(),
            words::second(one.update_time.as_ref()),
        ],
    ];
    for contact in profile.map_or(&[][..], |profile| &profile.contacts) {
        let primary = profile.is_some_and(|one| one.primary_contact_id == contact.contact_id);
        let label = if primary {
            "contact, primary"
        } else {
            "contact"
        };
        let name = format!("{} {}", contact.first_name, contact.last_name);
        rows.push([label.to_owned(), format!("{name} <{}>", contact.email)]);
    }
    rows.retain(|[_, text]| !text.is_empty());
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    lines.extend(
        text::aligned(&rows)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    if !view.standings.is_empty() {
        lines.extend([String::new(), "Enrollments".to_owned()]);
        let rows: Vec<Vec<String>> = view.standings.iter().map(standing_row).collect();
        lines.extend(
            text::aligned(&rows)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    if !view.recent_decisions.is_empty() {
        lines.extend([String::new(), "Latest decisions".to_owned()]);
        let rows: Vec<Vec<String>> = view
            .recent_decisions
            .iter()
            .map(|decision| {
                let place = format!("{}/{}", decision.program_id, decision.track_id);
                vec![decision.as_of_date.clone(), place, change_text(decision)]
            })
            .collect();
        lines.extend(
            text::aligned(&rows)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    lines.push(String::new());
    lines.push(format!(
        "More: tierline standing show {0}, tierline audit history {0}",
        one.partner_id
    ));
    lines
}

fn standing_row(one: &tierline_proto::standing::v1::Standing) -> Vec<String> {
    let tier = match (one.closed, one.tier_name.as_str()) {
        (true, _) => "ended".to_owned(),
        (false, "") => "not evaluated yet".to_owned(),
        (false, name) => format!("{name} since {}", one.tier_since_date),
    };
    let note = match (one.under_review, &one.demotion_process, &one.recommendation) {
        (true, _, _) => "under review".to_owned(),
        (_, Some(process), _) => format!("at risk, demotion on {}", process.demotion_date),
        (_, _, Some(to)) => format!("recommended: {}", to.tier_name),
        _ => String::new(),
    };
    vec![format!("{}/{}", one.program_id, one.track_id), tier, note]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::query::v1::EnrollmentSummary;

    fn args(filter: Option<&str>, search: Option<&str>) -> ListArgs {
        ListArgs {
            filter: filter.map(str::to_owned),
            search: search.map(str::to_owned),
            order_by: None,
            group_by: None,
            limit: 0,
        }
    }

    #[test]
    fn a_search_narrows_the_filter_and_cannot_change_it() {
        assert_eq!(args(None, None).condition(), "");
        assert_eq!(args(Some(" "), None).condition(), "");
        assert_eq!(args(Some("a = 1"), None).condition(), "a = 1");
        assert_eq!(
            args(Some("a = 1 AND b = 2"), Some("x\"y")).condition(),
            "(a = 1 AND b = 2) AND (name : \"x\\\"y\" OR domain : \"x\\\"y\")"
        );
    }

    #[test]
    fn tiers_stand_in_the_order_of_their_programs_and_ended_enrollments_are_left_out() {
        let line = |program: &str, tier: &str, rank, closed| EnrollmentSummary {
            program_id: program.into(),
            tier_id: tier.to_lowercase(),
            tier_name: tier.into(),
            tier_rank: rank,
            closed,
            ..Default::default()
        };
        let one = PartnerSummary {
            enrollments: vec![
                line("new", "", 0, false),
                line("a", "Silver", 1, false),
                line("b", "Gold", 0, false),
                line("old", "Gold", 0, true),
            ],
            ..Default::default()
        };
        let shown = ("Gold, Silver, -".to_owned(), "b, a, new".to_owned());
        assert_eq!(enrollments(&one), shown);
    }

    #[test]
    fn a_partner_is_shown_without_empty_lines_of_what_it_lacks() {
        let view = PartnerView {
            partner: Some(PartnerSummary {
                partner_id: "acme".into(),
                name: "Acme".into(),
                domain: "acme.example".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let lines = view_lines(&view, None);
        assert_eq!(lines[..2], ["Acme (acme)", "  domain  acme.example"]);
        assert!(lines.iter().all(|line| !line.contains("tags")), "{lines:?}");
    }
}
