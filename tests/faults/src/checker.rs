//! The invariants that hold after every fault, looked at from outside: in the tables, through the
//! command line, and through the services.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use sqlx::{PgConnection, Row as _};
use tierline_eventstore::LogReader;
use tierline_proto::partner::v1::GetPartnerRequest;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tonic::Code;

use crate::driver::{Clients, Entry, Outcome};
use crate::report::Report;
use crate::sandbox::Sandbox;

/// Answered calls that are sent once more at the end, to see the stored answer.
const REPLAYED: usize = 40;
/// Rows of the log that are read at once.
const PAGE: u32 = 2_000;

/// What a row expects besides the invariants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expect {
    /// Routing keys that may be set aside at the end.
    pub parked: bool,
    /// Acknowledged commands may be missing: the row loses the tail of the log on purpose.
    pub lost_tail: bool,
    /// Refused calls are part of the row.
    pub refusals: bool,
}

/// Waits until everything is applied, and checks all invariants.
///
/// # Errors
/// The first that does not hold.
pub async fn invariants(
    sandbox: &mut Sandbox,
    entries: &[Entry],
    expect: Expect,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ready = sandbox.all_ready().await?;
    let settled = sandbox.settled().await?;
    report.checked(format!(
        "every process is ready ({:.1} s) and all consumers have applied the log ({:.1} s)",
        ready.as_secs_f64(),
        settled.as_secs_f64()
    ));
    let mut connection = sandbox.postgres.connect().await?;
    commands(&mut connection, entries, expect, report).await?;
    numbers(&mut connection, report).await?;
    streams(&mut connection, report).await?;
    content(sandbox, report).await?;
    if !expect.parked {
        aside(&mut connection).await?;
    }
    read_models(sandbox, report).await?;
    standings(sandbox, report).await?;
    orgs(sandbox, &mut connection, report).await?;
    if !expect.lost_tail {
        replays(sandbox, entries, report).await?;
    }
    Ok(())
}

/// What the log holds of one request.
#[derive(Default)]
struct Trace {
    receipts: i64,
    streams: BTreeSet<(String, String)>,
    types: Vec<String>,
    numbered: Vec<i64>,
}

/// The traces of requests, by id.
async fn traces(
    connection: &mut PgConnection,
    ids: &[&str],
) -> anyhow::Result<BTreeMap<String, Trace>> {
    let mut traces: BTreeMap<String, Trace> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT e.metadata->>'request_id', e.aggregate_type, e.aggregate_id, e.event_type,
                (SELECT count(*) FROM log l WHERE l.event_id = e.event_id)
         FROM events e WHERE e.metadata->>'request_id' = ANY($1::text[])",
    )
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let trace = traces.entry(row.try_get(0)?).or_default();
        trace.streams.insert((row.try_get(1)?, row.try_get(2)?));
        trace.types.push(row.try_get(3)?);
        trace.numbered.push(row.try_get(4)?);
    }
    let rows = sqlx::query(
        "SELECT request_id, count(*) FROM receipts
         WHERE request_id = ANY($1::text[]) GROUP BY request_id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    for row in rows {
        traces.entry(row.try_get(0)?).or_default().receipts = row.try_get(1)?;
    }
    Ok(traces)
}

impl Trace {
    /// Carried out once, in one piece, and numbered once.
    fn check(&self, entry: &Entry) -> anyhow::Result<()> {
        let what = format!("{} {}", entry.call.name(), entry.call.request_id());
        ensure!(self.receipts == 1, "{what} has {} receipts", self.receipts);
        ensure!(
            self.streams.len() == 1,
            "{what} wrote to {:?}",
            self.streams
        );
        let distinct: BTreeSet<&String> = self.types.iter().collect();
        ensure!(
            distinct.len() == self.types.len(),
            "{what} wrote an event twice: {:?}",
            self.types
        );
        ensure!(
            self.numbered.iter().all(|count| *count == 1),
            "events of {what} are in the log {:?} times",
            self.numbered
        );
        let (_, stream) = self.streams.first().context("no stream")?;
        ensure!(
            stream.starts_with(&format!("{}/", entry.org)) || stream.starts_with(&entry.org),
            "{what} of {} wrote to {stream}",
            entry.org
        );
        Ok(())
    }
}

/// Every acknowledged command is in the log exactly once, an unknown one at most once, and one of
/// which the service said that nothing happened not at all.
async fn commands(
    connection: &mut PgConnection,
    entries: &[Entry],
    expect: Expect,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ids: Vec<&str> = entries.iter().map(|one| one.call.request_id()).collect();
    let traces = traces(connection, &ids).await?;
    let nothing = Trace::default();
    let (mut once, mut open, mut never, mut lost) = (0, 0, 0, 0);
    for entry in entries {
        let trace = traces.get(entry.call.request_id());
        let what = format!("{} {}", entry.call.name(), entry.call.request_id());
        match (&entry.outcome, trace) {
            (Outcome::Done(_), None) if expect.lost_tail => lost += 1,
            (Outcome::Done(_), trace) => {
                trace.unwrap_or(&nothing).check(entry)?;
                once += 1;
            }
            (Outcome::Unknown | Outcome::Open, Some(trace)) => {
                trace.check(entry)?;
                open += 1;
            }
            (Outcome::NotDone, Some(_)) => {
                bail!("{what} was called impossible and is in the log")
            }
            (Outcome::Refused(status), Some(_)) => {
                bail!("{what} was refused ({status}) and is in the log")
            }
            (Outcome::Refused(status), None) if !expect.refusals => {
                bail!("{what} of {} was refused: {status}", entry.org)
            }
            (_, None) => never += 1,
        }
    }
    ensure!(once > 0, "no command was carried out");
    let mut text = format!(
        "{once} acknowledged commands are in the log exactly once; of those without an answer {open} \
         are once and {never} not at all"
    );
    if expect.lost_tail {
        text.push_str(&format!(
            "; {lost} acknowledged ones were lost with the tail"
        ));
    }
    report.checked(text);
    Ok(())
}

/// Commands of which the caller was told nothing although they were carried out.
///
/// # Errors
/// When the database does not answer.
pub async fn carried_out_in_silence(
    sandbox: &Sandbox,
    entries: &[Entry],
) -> anyhow::Result<Vec<String>> {
    let mut connection = sandbox.postgres.connect().await?;
    let open = |entry: &&Entry| matches!(entry.outcome, Outcome::Unknown | Outcome::Open);
    let open: Vec<&Entry> = entries.iter().filter(open).collect();
    let ids: Vec<&str> = open.iter().map(|one| one.call.request_id()).collect();
    let traces = traces(&mut connection, &ids).await?;
    let silent = open
        .iter()
        .filter(|entry| traces.contains_key(entry.call.request_id()));
    let name = |entry: &&Entry| format!("{} {}", entry.call.name(), entry.call.request_id());
    Ok(silent.map(name).collect())
}

/// Fails with the first row of a query that must find none.
async fn none(connection: &mut PgConnection, what: &str, sql: &str) -> anyhow::Result<()> {
    let sql = format!("SELECT row_to_json(x)::text FROM ({sql}) x LIMIT 1");
    let found: Option<String> = sqlx::query_scalar(&sql)
        .fetch_optional(connection)
        .await
        .with_context(|| format!("looking for {what}"))?;
    match found {
        None => Ok(()),
        Some(row) => bail!("{what}: {row}"),
    }
}

/// Positions and the numbers of each partition are dense, and the heads tell their ends.
async fn numbers(connection: &mut PgConnection, report: &mut Report) -> anyhow::Result<()> {
    none(
        connection,
        "positions are not dense",
        "SELECT count(*), max(position) FROM log HAVING count(*) <> coalesce(max(position), 0)",
    )
    .await?;
    none(
        connection,
        "numbers of a partition are not dense",
        "SELECT partition, count(*), max(partition_number) FROM log GROUP BY partition
         HAVING count(*) <> max(partition_number) OR min(partition_number) <> 1",
    )
    .await?;
    none(
        connection,
        "the heads do not tell the ends",
        "SELECT s.position, l.head FROM sequencer s,
             (SELECT coalesce(max(position), 0) AS head FROM log) l WHERE s.position <> l.head",
    )
    .await?;
    none(
        connection,
        "an event is numbered twice in a partition",
        "SELECT event_id, partition, count(*) FROM log GROUP BY 1, 2 HAVING count(*) > 1",
    )
    .await?;
    none(
        connection,
        "a number has no event or an event no number",
        "SELECT e.event_id AS event, l.event_id AS number FROM events e
         FULL JOIN (SELECT DISTINCT event_id FROM log) l ON l.event_id = e.event_id
         WHERE e.event_id IS NULL OR l.event_id IS NULL",
    )
    .await?;
    let head: i64 = sqlx::query_scalar("SELECT position FROM sequencer")
        .fetch_one(connection)
        .await?;
    report.checked(format!(
        "positions 1 to {head} and the numbers of each partition are dense, every event has its own"
    ));
    Ok(())
}

/// Streams have no hole and are numbered in their order.
async fn streams(connection: &mut PgConnection, report: &mut Report) -> anyhow::Result<()> {
    none(
        connection,
        "a stream has a hole",
        "SELECT aggregate_type, aggregate_id, count(*), max(sequence) FROM events
         GROUP BY 1, 2 HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
    )
    .await?;
    none(
        connection,
        "a stream is numbered out of its order",
        "SELECT * FROM (SELECT aggregate_type, aggregate_id, partition, sequence, position,
             lag(sequence) OVER (PARTITION BY aggregate_type, aggregate_id, partition
                                 ORDER BY position) AS before FROM log) o
         WHERE sequence <> before + 1",
    )
    .await?;
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT DISTINCT aggregate_type, aggregate_id FROM events) s",
    )
    .fetch_one(connection)
    .await?;
    report.checked(format!("{count} streams have no hole and are in order"));
    Ok(())
}

/// Every event has the content that its number vouches for.
async fn content(sandbox: &Sandbox, report: &mut Report) -> anyhow::Result<()> {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect(&sandbox.postgres.url())
        .await?;
    let reader = LogReader::new(pool.clone());
    let (mut after, mut read) = (0, 0_usize);
    loop {
        let events = reader.read_positions(after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        read += events.len();
        for event in &events {
            ensure!(
                event.is_intact(),
                "the event at {} is not what was hashed",
                event.position
            );
        }
    }
    pool.close().await;
    report.checked(format!(
        "the leaf hashes of all {read} events were computed anew and agree"
    ));
    Ok(())
}

async fn aside(connection: &mut PgConnection) -> anyhow::Result<()> {
    none(
        connection,
        "an event was set aside",
        "SELECT consumer, routing_key, event_type, error FROM bus.parked ORDER BY parked_at",
    )
    .await
}

/// `tierline verify projections`.
async fn read_models(sandbox: &Sandbox, report: &mut Report) -> anyhow::Result<()> {
    let org = crate::sandbox::ORGS[0];
    let arguments = ["verify", "projections", "--output", "json"];
    let output = sandbox.command(org, &arguments).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "read models differ from the log: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: serde_json::Value = serde_json::from_str(&text).context("no JSON")?;
    let models = told["models"].as_array().context("no models")?;
    let rows: u64 = models.iter().filter_map(|one| one["rows"].as_u64()).sum();
    ensure!(models.len() > 2 && rows > 0, "nothing was compared: {text}");
    report.checked(format!(
        "{} read models with {rows} rows equal the fold of the log",
        models.len()
    ));
    Ok(())
}

/// `tierline audit replay --org`.
async fn standings(sandbox: &Sandbox, report: &mut Report) -> anyhow::Result<()> {
    let (mut decisions, mut enrollments) = (0, 0);
    for org in crate::sandbox::ORGS {
        let arguments = ["audit", "replay", "--org", "--output", "json"];
        let output = sandbox.command(org, &arguments).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "decisions of {org} come out otherwise: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told: serde_json::Value = serde_json::from_str(&text).context("no JSON")?;
        let number = |name: &str| told["summary"][name].as_u64().unwrap_or_default();
        ensure!(number("differences") == 0, "differences in {org}: {text}");
        decisions += number("decisions");
        enrollments += number("enrollments");
    }
    ensure!(decisions > 0, "no decision was replayed");
    report.checked(format!(
        "{decisions} decisions of {enrollments} enrollments come out the same when replayed"
    ));
    Ok(())
}

/// Every org sees its own partners, all of them, and nobody else's.
async fn orgs(
    sandbox: &Sandbox,
    connection: &mut PgConnection,
    report: &mut Report,
) -> anyhow::Result<()> {
    none(
        connection,
        "an event is in the stream of another org",
        "SELECT org_id, aggregate_id FROM events
         WHERE aggregate_id <> org_id AND NOT starts_with(aggregate_id, org_id || '/')",
    )
    .await?;
    let mut seen = BTreeMap::new();
    for clients in sandbox.all_clients()? {
        let listed = partners(&clients).await?;
        let created: Vec<String> = sqlx::query_scalar(
            "SELECT substr(aggregate_id, length(org_id) + 2) FROM events
             WHERE org_id = $1 AND aggregate_type = 'Partner' AND sequence = 1",
        )
        .bind(&clients.org)
        .fetch_all(&mut *connection)
        .await?;
        let created: BTreeSet<String> = created.into_iter().collect();
        ensure!(
            listed == created,
            "{} lists {} partners and has {}",
            clients.org,
            listed.len(),
            created.len()
        );
        seen.insert(clients.org.clone(), listed);
    }
    for clients in sandbox.all_clients()? {
        for (org, partners) in &seen {
            let Some(foreign) = partners.first().filter(|_| *org != clients.org) else {
                continue;
            };
            let request = GetPartnerRequest {
                partner_id: foreign.clone(),
            };
            let answer = PartnerServiceClient::new(clients.front.clone())
                .get_partner(request)
                .await;
            let code = answer.as_ref().err().map(tonic::Status::code);
            ensure!(
                code == Some(Code::NotFound),
                "{} asked for a partner of {org} and got {code:?}",
                clients.org
            );
        }
    }
    let count: usize = seen.values().map(BTreeSet::len).sum();
    report.checked(format!(
        "{} orgs see their own partners, {count} in all, and no other",
        seen.len()
    ));
    Ok(())
}

async fn partners(clients: &Clients) -> anyhow::Result<BTreeSet<String>> {
    let mut client = PartnerQueryServiceClient::new(clients.query.clone());
    let (mut found, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = ListPartnersRequest {
            page_size: 500,
            page_token,
            ..Default::default()
        };
        let page = client.list_partners(request).await?.into_inner();
        found.extend(page.partners.into_iter().map(|one| one.partner_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// Commands that are sent again under their id are answered as the first time.
async fn replays(sandbox: &Sandbox, entries: &[Entry], report: &mut Report) -> anyhow::Result<()> {
    let clients: BTreeMap<String, Clients> = sandbox
        .all_clients()?
        .into_iter()
        .map(|clients| (clients.org.clone(), clients))
        .collect();
    let done: Vec<(&Entry, &Vec<u8>)> = entries
        .iter()
        .filter_map(|entry| match &entry.outcome {
            Outcome::Done(response) => Some((entry, response)),
            _ => None,
        })
        .collect();
    // Those first that had been in doubt.
    let mut chosen: Vec<_> = done.iter().filter(|(one, _)| one.unknowns > 0).collect();
    chosen.extend(done.iter().step_by((done.len() / REPLAYED).max(1)));
    chosen.truncate(REPLAYED);
    for (entry, response) in &chosen {
        let clients = clients.get(&entry.org).context("an unknown org")?;
        let answer = clients
            .send(&entry.call, crate::sandbox::READY)
            .await
            .with_context(|| format!("{} was sent again", entry.call.name()))?;
        ensure!(
            answer == **response,
            "{} {} was answered otherwise the second time",
            entry.call.name(),
            entry.call.request_id()
        );
    }
    report.checked(format!(
        "{} commands sent again under their id got the stored answer",
        chosen.len()
    ));
    Ok(())
}
