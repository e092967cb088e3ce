//! The calls that take records, all in one form: batches go in, answers to rows come out.
//!
//! Deals, certifications and partners have streams of their own. Rates are published a few hundred
//! days at a time; their link answers each of the rows all the same.

use std::collections::BTreeSet;

use futures::stream::{BoxStream, StreamExt as _};
use prost::Message as _;
use tierline_importer::{Item, Record};
use tierline_proto::activity::v1::certification_service_client::CertificationServiceClient;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::{RecordCertificationsRequest, RecordDealsRequest};
use tierline_proto::common::v1::{RowError, RowOutcome, RowResult, RowResults, Violation};
use tierline_proto::partner::v1::RecordPartnersRequest;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::program::v1::rate_service_client::RateServiceClient;
use tierline_proto::program::v1::{PublishRatesRequest, PublishRatesResponse, RateDay};
use tierline_proto::{activity, partner};
use tierline_rpc::limits::MAX_RESPONSE_BYTES;
use tierline_rpc::status::violations;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::rows;
use crate::client::Authorized;

/// Requests that wait to be taken by the connection; more than are ever in flight.
const QUEUE: usize = 8;

/// A batch on its way.
pub(super) struct Request<R> {
    /// Kept with the events that it leads to.
    pub(super) id: String,
    pub(super) rows: Vec<R>,
}

/// An open call.
pub(super) struct Link<R> {
    pub(super) requests: mpsc::Sender<Request<R>>,
    pub(super) answers: BoxStream<'static, Result<RowResults, Status>>,
}

/// How records of one kind are sent.
pub(super) trait Wire {
    /// A record in the form of the contract.
    type Row: Clone + Send + 'static;
    /// Batches that may wait for their answers at the same time.
    const IN_FLIGHT: usize = 3;
    /// Records at which a batch ends, unless the next one must be in it too.
    const FULL: usize = 500;

    /// The record, unless it is of another kind.
    fn row(item: &Item) -> Option<Self::Row>;
    /// About how many bytes it takes.
    fn size(row: &Self::Row) -> usize;
    /// True when the second must be in the same batch as the first.
    fn joins(_first: &Self::Row, _second: &Self::Row) -> bool {
        false
    }
    /// Opens the call.
    async fn open(&mut self) -> Result<Link<Self::Row>, Status>;
}

macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident, $in_flight:literal at a time: $record:ident by $convert:path
        as $row:ty, $client:ident.$method:ident($request:ident);)+) => { $(
        $(#[$doc])*
        pub(super) struct $name(pub(super) Authorized);

        impl Wire for $name {
            type Row = $row;
            const IN_FLIGHT: usize = $in_flight;

            fn row(item: &Item) -> Option<Self::Row> {
                match &item.record {
                    Record::$record(record) => Some($convert(item.ordinal, record)),
                    _ => None,
                }
            }

            fn size(row: &Self::Row) -> usize {
                row.encoded_len()
            }

            async fn open(&mut self) -> Result<Link<Self::Row>, Status> {
                let (requests, sent) = mpsc::channel(QUEUE);
                let messages = ReceiverStream::new(sent).map(|request: Request<$row>| $request {
                    rows: request.rows,
                    validate_only: false,
                    request_id: request.id,
                });
                let client = $client::new(self.0.clone());
                let mut client = client.max_decoding_message_size(MAX_RESPONSE_BYTES);
                let answers = client.$method(messages).await?.into_inner().boxed();
                Ok(Link { requests, answers })
            }
        }
    )+ };
}

streams! {
    /// Deals.
    Deals, 3 at a time: Deal by rows::deal
        as activity::v1::DealRow, DealServiceClient.record_deals(RecordDealsRequest);
    /// Certifications.
    Certifications, 3 at a time: Certification by rows::certification
        as activity::v1::CertificationRow,
        CertificationServiceClient.record_certifications(RecordCertificationsRequest);
    /// Partners, one batch after the other: a parent may stand in the batch before.
    Partners, 1 at a time: Partner by rows::partner
        as partner::v1::PartnerRow, PartnerServiceClient.record_partners(RecordPartnersRequest);
}

/// Days of rates.
pub(super) struct Rates {
    client: RateServiceClient<Authorized>,
    /// Requests of one run have ids of their own: a second run wants a fresh answer, not the
    /// stored one.
    run: Uuid,
}

/// The rates of one row of a file: of a whole day, or of one currency.
#[derive(Debug, Clone)]
pub(super) struct RateRow {
    row: u64,
    source: String,
    base: String,
    day: RateDay,
}

impl Rates {
    /// Over a connection.
    pub(super) fn new(channel: Authorized) -> Self {
        let client = RateServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(MAX_RESPONSE_BYTES),
            run: Uuid::new_v4(),
        }
    }
}

impl Wire for Rates {
    type Row = RateRow;
    const IN_FLIGHT: usize = 2;
    // A day has a few hundred currencies at most, and a request takes 10,000 days.
    const FULL: usize = 2_000;

    fn row(item: &Item) -> Option<Self::Row> {
        let Record::Rates(day) = &item.record else {
            return None;
        };
        Some(RateRow {
            row: item.ordinal,
            source: day.source.clone(),
            base: day.base.to_string(),
            day: rows::rate_day(day),
        })
    }

    fn size(row: &Self::Row) -> usize {
        row.day.encoded_len()
    }

    fn joins(first: &Self::Row, second: &Self::Row) -> bool {
        first.day.rate_date == second.day.rate_date
    }

    async fn open(&mut self) -> Result<Link<Self::Row>, Status> {
        let (requests, mut sent) = mpsc::channel::<Request<RateRow>>(QUEUE);
        let (answers, taken) = mpsc::channel(QUEUE);
        let (mut client, run) = (self.client.clone(), self.run);
        tokio::spawn(async move {
            while let Some(request) = sent.recv().await {
                let answer = publish(&mut client, run, request.rows).await;
                let failed = answer.is_err();
                // Nobody listens any more when the import is given up.
                if answers.send(answer).await.is_err() || failed {
                    return;
                }
            }
        });
        let answers = ReceiverStream::new(taken).boxed();
        Ok(Link { requests, answers })
    }
}

/// The rows that make one day.
#[derive(Debug, PartialEq)]
struct Day {
    day: RateDay,
    rows: Vec<u64>,
}

/// Publishes days. A day that is refused is taken out and the others are published without it.
async fn publish(
    client: &mut RateServiceClient<Authorized>,
    run: Uuid,
    rows: Vec<RateRow>,
) -> Result<RowResults, Status> {
    let (source, base_currency_code) = match rows.first() {
        Some(row) => (row.source.clone(), row.base.clone()),
        None => return Ok(RowResults::default()),
    };
    let mut days = merged(rows);
    let mut results = Vec::new();
    while !days.is_empty() {
        let request = PublishRatesRequest {
            source: source.clone(),
            base_currency_code: base_currency_code.clone(),
            days: days.iter().map(|day| day.day.clone()).collect(),
            etag: String::new(),
            request_id: request_id(run, &days),
            validate_only: false,
        };
        match client.publish_rates(request).await {
            Ok(response) => {
                results.extend(published(&days, &response.into_inner()));
                days.clear();
            }
            Err(status) => {
                let before = days.len();
                let refused = refused_days(&violations(&status), &mut days);
                // Every round takes out at least one day, or the refusal is not about days.
                if days.len() == before {
                    return Err(status);
                }
                results.extend(refused);
            }
        }
    }
    Ok(RowResults {
        results,
        consistency_token: String::new(),
    })
}

/// The rows of the same day stand together.
fn merged(rows: Vec<RateRow>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for row in rows {
        match days.last_mut() {
            Some(last) if last.day.rate_date == row.day.rate_date => {
                last.day.rates.extend(row.day.rates);
                last.rows.push(row.row);
            }
            _ => days.push(Day {
                day: row.day,
                rows: vec![row.row],
            }),
        }
    }
    days
}

/// The same in every attempt to send the same days in the same run.
fn request_id(run: Uuid, days: &[Day]) -> String {
    let rows = days.iter().flat_map(|day| &day.rows);
    let bytes: Vec<u8> = rows.flat_map(|row| row.to_be_bytes()).collect();
    Uuid::new_v5(&run, &bytes).to_string()
}

fn published(days: &[Day], response: &PublishRatesResponse) -> Vec<RowResult> {
    let changed: BTreeSet<&str> = response
        .published_dates
        .iter()
        .map(String::as_str)
        .collect();
    let results = days.iter().flat_map(|day| {
        let outcome = if changed.contains(day.day.rate_date.as_str()) {
            RowOutcome::Updated
        } else {
            RowOutcome::Unchanged
        };
        day.rows.iter().map(move |row| RowResult {
            row: *row,
            id: day.day.rate_date.clone(),
            outcome: outcome.into(),
            error: None,
        })
    });
    results.collect()
}

/// Takes the days that a refusal names out of the list.
fn refused_days(violations: &[(String, String)], days: &mut Vec<Day>) -> Vec<RowResult> {
    let wrong = |at: usize| {
        let path = format!("days[{at}].");
        let found = violations.iter().filter_map(|(field, description)| {
            Some(Violation {
                field: field.strip_prefix(&path)?.to_owned(),
                description: description.clone(),
            })
        });
        found.collect::<Vec<_>>()
    };
    let mut results = Vec::new();
    let mut kept = Vec::new();
    for (at, day) in std::mem::take(days).into_iter().enumerate() {
        let violations = wrong(at);
        if violations.is_empty() {
            kept.push(day);
            continue;
        }
        results.extend(day.rows.iter().map(|row| RowResult {
            row: *row,
            id: day.day.rate_date.clone(),
            outcome: RowOutcome::Rejected.into(),
            error: Some(RowError {
                reason: "INVALID".to_owned(),
                message: "the rates of the day are refused".to_owned(),
                violations: violations.clone(),
                retryable: false,
            }),
        }));
    }
    *days = kept;
    results
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn row(row: u64, day: &str, code: &str) -> RateRow {
        RateRow {
            row,
            source: "ECB".to_owned(),
            base: "EUR".to_owned(),
            day: RateDay {
                rate_date: day.to_owned(),
                rates: BTreeMap::from([(code.to_owned(), "1.1".to_owned())]),
            },
        }
    }

    fn three_days() -> Vec<Day> {
        merged(vec![
            row(1, "2026-01-05", "USD"),
            row(2, "2026-01-05", "GBP"),
            row(3, "2026-01-06", "USD"),
            row(4, "2026-01-07", "USD"),
        ])
    }

    fn outcomes(results: &[RowResult]) -> Vec<(u64, RowOutcome)> {
        results.iter().map(|r| (r.row, r.outcome())).collect()
    }

    #[test]
    fn rows_of_one_day_are_published_together_and_answered_each() {
        let days = three_days();
        assert_eq!(days.len(), 3);
        assert_eq!(days[0].day.rates.len(), 2);
        let response = PublishRatesResponse {
            published_dates: vec!["2026-01-05".to_owned()],
            ..PublishRatesResponse::default()
        };
        use RowOutcome::{Unchanged, Updated};
        let expected = [(1, Updated), (2, Updated), (3, Unchanged), (4, Unchanged)];
        assert_eq!(outcomes(&published(&days, &response)), expected);
    }

    #[test]
    fn a_refused_day_is_taken_out_and_its_rows_say_why() {
        let mut days = three_days();
        let violations = [("days[0].rates.GBP".to_owned(), "must be more".to_owned())];
        let refused = refused_days(&violations, &mut days);
        let rejected = RowOutcome::Rejected;
        assert_eq!(outcomes(&refused), [(1, rejected), (2, rejected)]);
        let error = refused[0].error.as_ref().unwrap();
        assert_eq!(error.violations[0].field, "rates.GBP");
        assert_eq!(days.len(), 2);
        let other = [("source".to_owned(), "is required".to_owned())];
        assert!(refused_days(&other, &mut days).is_empty());
        assert_eq!(days.len(), 2);
    }

    #[test]
    fn a_repeated_request_has_the_same_id_and_another_run_has_another() {
        let (run, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let days = three_days();
        assert_eq!(request_id(run, &days), request_id(run, &three_days()));
        assert_ne!(request_id(run, &days), request_id(other, &days));
        assert_ne!(request_id(run, &days), request_id(run, &days[1..]));
    }
}
