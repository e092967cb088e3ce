//! A trial of all enrollments of a program: a few partners at a time, on all cores, answered in
//! their order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use jiff::civil::Date;
use tierline_domain::standing::trial::{Compared, Draft, Supposed, backtest, preview};
use tierline_domain::standing::{OrgHistory, PartnerHistory};
use tierline_domain::{OrgId, PartnerId, Rejection};
use tierline_eventstore::partition_of;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::trial_response::Kind as Message;
use tierline_rpc::paging::Page;

use super::request::Resume;
use super::{Answers, Place, convert};
use crate::Query;
use crate::fault::Fault;
use crate::long::{Stop, off_threads, streamed};
use crate::past::routing_key;

/// Partners that are tried together.
const TOGETHER: usize = 25;
/// Messages that wait for a slow caller before the trial pauses.
const QUEUE: usize = 16;
/// Rows of one message.
const ROWS: usize = 200;

/// A trial that was asked for.
pub(super) struct Trial {
    pub(super) org: OrgId,
    pub(super) draft: Draft,
    pub(super) kind: Kind,
    pub(super) include_unchanged: bool,
    pub(super) page: Page<Resume>,
}

/// What is compared.
pub(super) enum Kind {
    Preview(Supposed),
    Backtest(Vec<Date>),
}

type Sender = crate::long::Answers<pb::TrialResponse>;

/// Some partners of one partition, each with how many enrollments it has in the program.
struct Chunk {
    partition: u8,
    partners: Vec<(PartnerId, u64)>,
}

/// What came out for a chunk.
struct Tried {
    chunk: Chunk,
    compared: Vec<Compared>,
    names: HashMap<String, String>,
    events: u64,
}

impl Query {
    pub(super) fn answer_trial(&self, trial: Trial, place: Place) -> Answers {
        let query = self.clone();
        streamed(QUEUE, place, |answers| async move {
            query.try_all(trial, &answers).await
        })
    }

    async fn try_all(&self, trial: Trial, answers: &Sender) -> Result<(), Stop> {
        let resume = trial.page.after.clone();
        let position = match &resume {
            Some(resume) => resume.position,
            None => self.settled().await?,
        };
        let (partners, total) = self.partners_in(&trial).await?;
        let begin = resume.as_ref().map(|resume| &resume.after);
        let chunks = chunks(partners, begin);
        let mut done = resume.as_ref().map_or(0, |resume| resume.done);
        let mut events = 0;
        let trial = Arc::new(trial);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let orgs = Orgs::default();
        let mut tried = stream::iter(chunks)
            .map(|chunk| self.try_chunk(&trial, &orgs, chunk, position))
            .buffered(cores);
        while let Some(found) = tried.next().await {
            let found = found?;
            events += found.events;
            done += found.chunk.partners.iter().map(|(_, n)| n).sum::<u64>();
            let last = found.chunk.partners.last();
            let resume = Resume {
                position,
                after: (
                    found.chunk.partition,
                    last.map(|(partner, _)| partner.to_string())
                        .unwrap_or_default(),
                ),
                done,
            };
            let wanted = |one: &&Compared| {
                trial.include_unchanged
                    || one.movement != tierline_domain::standing::trial::Movement::Unchanged
            };
            let rows: Vec<pb::TrialComparison> = found
                .compared
                .iter()
                .filter(wanted)
                .map(|one| convert::comparison(one, found.names.get(one.partner.as_str())))
                .collect();
            for rows in rows.chunks(ROWS) {
                let comparisons = rows.to_vec();
                tell(answers, Message::Rows(pb::TrialRows { comparisons })).await?;
            }
            let progress = pb::TrialProgress {
                done_enrollments: done,
                total_enrollments: total,
                counts: convert::counts(&found.compared),
                resume_token: trial.page.token(&resume),
            };
            tell(answers, Message::Progress(progress)).await?;
        }
        let summary = pb::TrialSummary {
            enrollments: done,
            log_position: position.unsigned_abs(),
            events,
        };
        tell(answers, Message::Summary(summary)).await
    }

    /// The partners that are enrolled in the program, in order, and how many enrollments there are.
    async fn partners_in(
        &self,
        trial: &Trial,
    ) -> Result<(BTreeMap<(u8, PartnerId), u64>, u64), Fault> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT partner_id, count(*) FROM read.standings
             WHERE org_id = $1 AND program = $2 GROUP BY partner_id",
        )
        .bind(trial.org.as_str())
        .bind(trial.draft.program.as_str())
        .fetch_all(self.pool())
        .await?;
        let (mut partners, mut total) = (BTreeMap::new(), 0);
        for (partner, count) in rows {
            let partner = PartnerId::parse(partner)?;
            let partition = partition_of(&routing_key(&trial.org, &partner));
            let count = count.unsigned_abs();
            total += count;
            partners.insert((partition, partner), count);
        }
        Ok((partners, total))
    }

    async fn try_chunk(
        &self,
        trial: &Arc<Trial>,
        orgs: &Orgs,
        chunk: Chunk,
        position: i64,
    ) -> Result<Tried, Fault> {
        let org = self.org_in(orgs, trial, chunk.partition, position).await?;
        let ids: Vec<PartnerId> = chunk.partners.iter().map(|(id, _)| id.clone()).collect();
        let names = self.partner_names(&trial.org, &ids).await?;
        let (histories, events) = self
            .decided_histories(&trial.org, chunk.partition, &ids, position)
            .await?;
        let trial = Arc::clone(trial);
        let compared = off_threads(move || {
            let mut compared = Vec::new();
            for history in &histories {
                compared.extend(trial.compare(&org, history)?);
            }
            Ok(compared)
        })
        .await?;
        Ok(Tried {
            chunk,
            compared,
            names,
            events,
        })
    }

    async fn org_in(
        &self,
        orgs: &Orgs,
        trial: &Trial,
        partition: u8,
        position: i64,
    ) -> Result<Arc<OrgHistory>, Fault> {
        let mut known = orgs.0.lock().await;
        if let Some((at, history)) = known.as_ref()
            && *at == partition
        {
            return Ok(Arc::clone(history));
        }
        let (history, _) = match known.as_ref() {
            Some((_, other)) => {
                self.org_history_beside(&trial.org, other, partition, position)
                    .await?
            }
            None => self.org_history(&trial.org, partition, position).await?,
        };
        let history = Arc::new(history);
        *known = Some((partition, Arc::clone(&history)));
        Ok(history)
    }

    pub(super) async fn partner_names(
        &self,
        org: &OrgId,
        partners: &[PartnerId],
    ) -> Result<HashMap<String, String>, Fault> {
        let keys: Vec<&str> = partners.iter().map(PartnerId::as_str).collect();
        let sql = "SELECT key, name FROM read.partners WHERE org_id = $1 AND key = ANY ($2)";
        let rows: Vec<(String, String)> = sqlx::query_as(sql)
            .bind(org.as_str())
            .bind(keys)
            .fetch_all(self.pool())
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// What the partition that is tried at present says of the org.
#[derive(Default)]
struct Orgs(tokio::sync::Mutex<Option<(u8, Arc<OrgHistory>)>>);

impl Trial {
    fn compare(
        &self,
        org: &OrgHistory,
        partner: &PartnerHistory,
    ) -> Result<Vec<Compared>, Rejection> {
        match &self.kind {
            Kind::Preview(supposed) => {
                let found = preview(org, partner, &self.draft, supposed, None, u64::MAX)?;
                Ok(found.into_iter().map(|one| one.compared).collect())
            }
            Kind::Backtest(days) => backtest(org, partner, &self.draft, None, days, u64::MAX),
        }
    }
}

/// The partners after `begin`, a few of one partition at a time.
fn chunks(partners: BTreeMap<(u8, PartnerId), u64>, begin: Option<&(u8, String)>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for ((partition, partner), count) in partners {
        if begin.is_some_and(|(at, after)| (partition, partner.as_str()) <= (*at, after.as_str())) {
            continue;
        }
        match chunks.last_mut() {
            Some(last) if last.partition == partition && last.partners.len() < TOGETHER => {
                last.partners.push((partner, count));
            }
            _ => chunks.push(Chunk {
                partition,
                partners: vec![(partner, count)],
            }),
        }
    }
    chunks
}

async fn tell(answers: &Sender, kind: Message) -> Result<(), Stop> {
    let message = pb::TrialResponse { kind: Some(kind) };
    answers.tell(message).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_of_one_partition_and_begin_after_the_partner_that_was_done() {
        let partner = |n: u8| PartnerId::parse(format!("p{n:03}")).unwrap();
        let partners: BTreeMap<_, u64> = (0..60).map(|n| ((n / 40, partner(n)), 1)).collect();
        let sizes = |begin: Option<(u8, String)>| -> Vec<(u8, usize)> {
            let chunks = chunks(partners.clone(), begin.as_ref());
            chunks
                .iter()
                .map(|chunk| (chunk.partition, chunk.partners.len()))
                .collect()
        };
        assert_eq!(sizes(None), [(0, 25), (0, 15), (1, 20)]);
        assert_eq!(sizes(Some((0, "p024".into()))), [(0, 15), (1, 20)]);
        assert_eq!(sizes(Some((1, "p059".into()))), []);
    }
}
