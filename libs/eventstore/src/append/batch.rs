//! Many items in few statements, with a result for each: one item's lost race, repeated request
//! or taken name never fails another.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::PgConnection;
use tierline_domain::Claim;

use super::failure::{AppendFailure, Broken, classify, culprits};
use super::item::AppendItem;
use super::statement::{write, write_in};

/// Most event rows in one statement.
const MAX_ROWS: usize = 4_000;
/// Most bytes in one statement, roughly.
const MAX_BYTES: usize = 8 << 20;
/// How often a deadlocked batch is tried again as a whole before it is split.
const PASSING_RETRIES: u32 = 2;

/// What is known of one item while a batch is under way.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Not sent.
    Waiting,
    /// Sent and not answered.
    Sent,
    /// Answered.
    Done(Result<(), AppendFailure>),
}

impl Progress {
    /// The result when nothing more will be heard.
    pub(crate) fn settle(self) -> Result<(), AppendFailure> {
        match self {
            Self::Waiting => Err(AppendFailure::Unavailable(None)),
            Self::Sent => Err(AppendFailure::Unknown),
            Self::Done(result) => result,
        }
    }
}

/// Appends the items and notes what became of each in `progress`, which has the same length. May
/// be dropped at any await: `progress` then tells what was sent.
///
/// Returns false when the connection is of no further use.
pub(crate) async fn append_on(
    connection: &mut PgConnection,
    items: &[&AppendItem],
    progress: &mut [Progress],
) -> bool {
    let mut work: VecDeque<(Vec<usize>, u32)> = keep_apart(items)
        .into_iter()
        .map(|batch| (batch, 0))
        .collect();
    while let Some((batch, tries)) = work.pop_front() {
        let members: Vec<&AppendItem> = batch.iter().map(|index| items[*index]).collect();
        set(progress, &batch, || Progress::Sent);
        let Err(error) = write(connection, &members).await else {
            set(progress, &batch, || Progress::Done(Ok(())));
            continue;
        };
        let broken = classify(&error);
        match broken {
            Broken::Unknown => {
                tracing::warn!(%error, items = batch.len(), "an append was not answered: {error}");
                set(progress, &batch, || {
                    Progress::Done(Err(AppendFailure::Unknown))
                });
                return false;
            }
            Broken::Busy => {
                tracing::warn!(%error, items = batch.len(), "the log is not writable: {error}");
                set(progress, &batch, || {
                    Progress::Done(Err(AppendFailure::Unavailable(None)))
                });
            }
            Broken::Passing if tries < PASSING_RETRIES => work.push_front((batch, tries + 1)),
            _ if batch.len() == 1 && !matches!(broken, Broken::Receipt | Broken::Claim) => {
                progress[batch[0]] = Progress::Done(Err(alone(broken, error)));
            }
            _ => {
                // Nothing of the batch happened.
                set(progress, &batch, || Progress::Waiting);
                let Ok(found) = culprits(connection, broken, &members).await else {
                    return false;
                };
                let rest = remove(progress, &batch, found);
                divide(&mut work, progress, rest, batch.len(), tries);
            }
        }
    }
    true
}

/// The failure of a statement with a single item, where the error says it all.
fn alone(broken: Broken, error: sqlx::Error) -> AppendFailure {
    match broken {
        Broken::Stream | Broken::Passing => AppendFailure::LostRace,
        _ => AppendFailure::Refused(error),
    }
}

/// Notes the failed items and returns the others.
fn remove(
    progress: &mut [Progress],
    batch: &[usize],
    found: Vec<(usize, AppendFailure)>,
) -> Vec<usize> {
    for (member, failure) in found {
        if let Some(index) = batch.get(member) {
            progress[*index] = Progress::Done(Err(failure));
        }
    }
    let waiting = |index: &usize| matches!(progress[*index], Progress::Waiting);
    batch.iter().copied().filter(waiting).collect()
}

/// Queues what is left of a failed batch: whole if something was taken out of it, in halves if
/// nobody can be blamed (the row in the way is not committed, or gone again).
fn divide(
    work: &mut VecDeque<(Vec<usize>, u32)>,
    progress: &mut [Progress],
    mut rest: Vec<usize>,
    before: usize,
    tries: u32,
) {
    tracing::debug!(before, rest = rest.len(), "a batch of appends is run again");
    match rest.as_slice() {
        [] => {}
        [only] if before == 1 && tries >= PASSING_RETRIES => {
            // The constraint keeps failing and nothing is found: somebody takes and frees the
            // name again and again. The caller decides afresh.
            progress[*only] = Progress::Done(Err(AppendFailure::LostRace));
        }
        [_] => work.push_front((rest, tries + 1)),
        _ if rest.len() < before => work.push_front((rest, 0)),
        _ => {
            let second = rest.split_off(rest.len() / 2);
            work.push_front((second, 0));
            work.push_front((rest, 0));
        }
    }
}

fn set(progress: &mut [Progress], batch: &[usize], value: impl Fn() -> Progress) {
    for index in batch {
        progress[*index] = value();
    }
}

/// Divides items into statements: items that touch the same stream, request or name go into
/// different ones, in their order, and no statement grows without bound.
fn keep_apart(items: &[&AppendItem]) -> Vec<Vec<usize>> {
    let mut batches: Vec<(Vec<usize>, usize, usize)> = Vec::new();
    let mut last: HashMap<u64, usize> = HashMap::with_capacity(items.len() * 2);
    for (index, item) in items.iter().enumerate() {
        let keys = touched(item);
        let after = keys.iter().filter_map(|key| last.get(key)).max();
        let mut place = after.map_or(0, |batch| batch + 1);
        let (rows, bytes) = (item.rows.len().max(1), item.weight());
        while batches
            .get(place)
            .is_some_and(|(_, full_rows, full_bytes)| {
                full_rows + rows > MAX_ROWS || full_bytes + bytes > MAX_BYTES
            })
        {
            place += 1;
        }
        if place == batches.len() {
            batches.push((Vec::new(), 0, 0));
        }
        let (members, full_rows, full_bytes) = &mut batches[place];
        members.push(index);
        *full_rows += rows;
        *full_bytes += bytes;
        last.extend(keys.into_iter().map(|key| (key, place)));
    }
    batches.into_iter().map(|(members, _, _)| members).collect()
}

/// Hashes of everything an item must have to itself in a statement. Two items that collide by
/// chance are merely kept apart.
fn touched(item: &AppendItem) -> Vec<u64> {
    let hash = |value: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        value(&mut hasher);
        hasher.finish()
    };
    let mut keys = Vec::with_capacity(2);
    keys.push(hash(&|h| {
        (0u8, item.aggregate_type, item.stream.as_str()).hash(h)
    }));
    for receipt in &item.receipts {
        keys.push(hash(&|h| {
            (1u8, item.org.as_str(), &receipt.request_id).hash(h)
        }));
    }
    for claim in item.taken.iter().chain(&item.released) {
        keys.push(hash(&|h| {
            (2u8, item.org.as_str(), claim.scope, &claim.key).hash(h)
        }));
    }
    keys
}

/// Why an append inside a caller's transaction failed. The transaction is lost in any case.
#[derive(Debug, thiserror::Error)]
pub enum AppendInError {
    /// Somebody else wrote the next version of one of the streams.
    #[error("another writer was first")]
    LostRace,
    /// One of the requests was carried out before.
    #[error("a request of the batch was carried out before")]
    DuplicateRequest,
    /// One of the names is held by another stream.
    #[error("a name of the batch is taken")]
    ClaimTaken(Vec<Claim>),
    /// The database or the connection failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Appends all items in the transaction that the caller has open on `connection`, or fails as a
/// whole. For writers that move their own state and checkpoint together with their events.
///
/// After its commit the caller wakes the sequencer with [`crate::EventStore::wake`].
///
/// # Errors
/// With the constraint that was broken; the transaction is of no further use then.
pub async fn append_in(
    connection: &mut PgConnection,
    items: &[AppendItem],
) -> Result<(), AppendInError> {
    let all: Vec<&AppendItem> = items.iter().collect();
    for batch in keep_apart(&all) {
        let members: Vec<&AppendItem> = batch.iter().map(|index| all[*index]).collect();
        write_in(connection, &members)
            .await
            .map_err(|error| match classify(&error) {
                Broken::Stream => AppendInError::LostRace,
                Broken::Receipt => AppendInError::DuplicateRequest,
                Broken::Claim => AppendInError::ClaimTaken(
                    members.iter().flat_map(|m| m.taken.clone()).collect(),
                ),
                _ => AppendInError::Database(error),
            })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tierline_domain::{OrgId, PartnerId, Routing, StreamId};

    use super::super::item::{NewEvent, NewReceipt};
    use super::*;

    fn item(id: &str) -> AppendItem {
        let org = OrgId::parse("acme").unwrap();
        let event = NewEvent {
            event_type: "t".into(),
            event_version: "1.0".into(),
            payload: "{}".into(),
            metadata: Arc::from("{}"),
        };
        let routing = Routing::Partner(PartnerId::parse("p").unwrap());
        AppendItem::new("T", StreamId::new(&org, id), org, &routing, 0, vec![event])
    }

    fn request(id: &str) -> NewReceipt {
        NewReceipt {
            request_id: id.into(),
            request_hash: [0; 32],
            response: Vec::new(),
        }
    }

    #[test]
    fn items_of_one_stream_request_or_name_never_share_a_statement() {
        let claim = Claim {
            scope: "partner_domain",
            key: "a.example".into(),
        };
        let items = [
            item("a"),
            item("b"),
            item("a"),
            item("c").with_receipt(request("1")),
            item("d").with_receipt(request("1")),
            item("e").with_claims(vec![claim.clone()], vec![]),
            item("f").with_claims(vec![], vec![claim]),
            item("a"),
        ];
        let items: Vec<&AppendItem> = items.iter().collect();
        assert_eq!(
            keep_apart(&items),
            [vec![0, 1, 3, 5], vec![2, 4, 6], vec![7]]
        );
    }

    #[test]
    fn statements_are_bounded_in_rows() {
        let items: Vec<AppendItem> = (0..MAX_ROWS + 10)
            .map(|n| item(&format!("s-{n}")))
            .collect();
        let items: Vec<&AppendItem> = items.iter().collect();
        let batches = keep_apart(&items);
        assert_eq!(
            batches.iter().map(Vec::len).collect::<Vec<_>>(),
            [MAX_ROWS, 10]
        );
    }
}
