//! The service of exchange rates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use quick_cache::sync::Cache;
use rust_decimal::Decimal;
use tierline_domain::program::rates::{PublishRates, RateDay, Rates, RatesCommand, RatesEvent};
use tierline_domain::rules::rates::{LOOK_BACK_DAYS, RateTable, Rates as _, convert};
use tierline_domain::time::add_days;
use tierline_domain::{Currency, Kind, Money, OrgId, Rejection, StreamId};
use tierline_eventstore::{CommandError, Outcome};
use tierline_proto::program::v1::rate_service_server::{RateService as Rpc, RateServiceServer};
use tierline_proto::program::v1::{self as pb};
use tierline_rpc::convert::{Reader, common as c, fields as f};
use tierline_rpc::dispatch::{checked, token};
use tierline_rpc::{Call, Caller, Commands, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

/// Orgs whose rates are kept in memory; the whole history of the ECB takes about ten megabytes.
const KEPT: usize = 4;

/// Commands of exchange rates.
#[derive(Clone)]
pub struct RateService {
    commands: Commands,
    books: Arc<Cache<OrgId, Arc<Book>>>,
}

/// The server of exchange rates.
pub fn rate_server(commands: Commands) -> RateServiceServer<RateService> {
    RateServiceServer::new(RateService {
        commands,
        books: Arc::new(Cache::new(KEPT)),
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
    .accept_compressed(Gzip)
}

/// All rates of an org as of a version of their stream.
#[derive(Clone, Default)]
struct Book {
    version: u64,
    base: Option<Currency>,
    table: RateTable,
    currencies: BTreeSet<Currency>,
    /// Who published each day.
    sources: BTreeMap<Date, Arc<str>>,
}

impl Book {
    fn take(&mut self, event: RatesEvent) {
        self.version += 1;
        let RatesEvent::RatesPublished { source, base, days } = event else {
            return;
        };
        self.base = self.base.or(Some(base));
        self.table.take(self.version, base, &days);
        let source: Arc<str> = source.into();
        for day in days {
            self.currencies.extend(day.rates.keys().copied());
            self.sources.insert(day.date, Arc::clone(&source));
        }
    }

    /// The last published day on or before a day, with everything that was published for it; none
    /// that is too old to be used.
    fn in_force_on(&self, day: Date) -> Option<pb::GetRatesResponse> {
        let (published, source) = self.sources.range(..=day).next_back()?;
        if *published < add_days(day, -LOOK_BACK_DAYS) {
            return None;
        }
        let rates = self.currencies.iter().filter_map(|currency| {
            let rate = self.table.rate(*currency, *published)?;
            let of_the_day = rate.published == *published;
            of_the_day.then(|| (currency.to_string(), rate.rate.to_string()))
        });
        Some(pb::GetRatesResponse {
            base_currency_code: self.base.map(|base| base.to_string()).unwrap_or_default(),
            day: Some(pb::RateDay {
                rate_date: published.to_string(),
                rates: rates.collect(),
            }),
            source: source.to_string(),
        })
    }

    /// Of what day the last rates of these currencies are, where they are too old for a day.
    fn last_of(&self, currencies: &[Currency], day: Date) -> String {
        let missing = currencies
            .iter()
            .filter(|one| self.table.rate(**one, day).is_none());
        let last = missing.map(|one| match self.table.last_published(*one, day) {
            Some(last) => format!("; the last one of {one} is of {last}"),
            None => format!("; none of {one} up to then"),
        });
        last.collect()
    }

    fn convert(&self, money: Money, to: Currency, on: Date) -> Option<pb::ConvertMoneyResponse> {
        if money.currency == to {
            return Some(pb::ConvertMoneyResponse {
                money: Some(c::money_message(money.rounded())),
                rate: Decimal::ONE.to_string(),
                rate_date: on.to_string(),
            });
        }
        let conversion = convert(money, to, on, &self.table)?;
        let rate = conversion.to.rate.checked_div(conversion.from.rate)?;
        // The base itself is worth one on any day; the day is that of the other rate.
        let dates = [(money.currency, conversion.from), (to, conversion.to)];
        let others = dates
            .iter()
            .filter(|(currency, _)| Some(*currency) != self.base);
        let published = others.map(|(_, rate)| rate.published).min().unwrap_or(on);
        Some(pb::ConvertMoneyResponse {
            money: Some(c::money_message(conversion.money)),
            rate: rate.normalize().to_string(),
            rate_date: published.to_string(),
        })
    }
}

impl RateService {
    /// The rates of an org as of now: those in memory and what was published since.
    async fn book(&self, org: &OrgId) -> Result<Arc<Book>, CommandError> {
        let known = self.books.get(org).unwrap_or_default();
        let stream = StreamId::new(org, STREAM);
        let events = self
            .commands
            .store()
            .events_of::<Rates>(&stream, known.version)
            .await?;
        if events.is_empty() {
            return Ok(known);
        }
        let mut book = Book::clone(&known);
        for event in events {
            book.take(event);
        }
        let book = Arc::new(book);
        self.books.insert(org.clone(), Arc::clone(&book));
        Ok(book)
    }

    /// The rates of the caller's org, and the day that was asked for or today.
    async fn book_on<T>(
        &self,
        request: &Request<T>,
        r: &mut Reader,
        day: &str,
    ) -> Result<(Arc<Book>, Date), Status> {
        let failed = |error| from_command_error(&error);
        let caller = Caller::of(request)?;
        let time = self
            .commands
            .clock()
            .at(&caller.org)
            .await
            .map_err(failed)?;
        let day = f::optional_date(r, "rate_date", day).unwrap_or(time.today);
        Ok((self.book(&caller.org).await.map_err(failed)?, day))
    }
}

/// The rates of an org are one stream beside it.
const STREAM: &str = "rates";

fn publication(r: &mut Reader, message: &pb::PublishRatesRequest) -> PublishRates {
    let base = r.at("base_currency_code", |r| {
        c::currency(r, &message.base_currency_code)
    });
    let days = message.days.iter().enumerate().map(|(at, day)| {
        r.at(&format!("days[{at}]"), |r| RateDay {
            date: f::date(r, "rate_date", &day.rate_date),
            rates: r.at("rates", |r| rates(r, &day.rates)),
        })
    });
    let days = days.collect();
    PublishRates {
        source: message.source.clone(),
        base: base.unwrap_or(Currency::EUR),
        days,
    }
}

fn rates(r: &mut Reader, rates: &BTreeMap<String, String>) -> BTreeMap<Currency, Decimal> {
    let mut read = BTreeMap::new();
    for (code, rate) in rates {
        r.at(code, |r| {
            let currency = c::currency(r, code);
            let rate = c::decimal(r, rate);
            if let (Some(currency), Some(rate)) = (currency, rate) {
                read.insert(currency, rate);
            }
        });
    }
    read
}

/// The path in a request, of a path in the domain.
fn in_request(field: &str) -> String {
    match field.strip_suffix(".date") {
        Some(day) => format!("{day}.rate_date"),
        None => field.to_owned(),
    }
}

/// There is no rate. `last` says what was published last, if anything was.
fn no_rates(day: Date, what: &str, last: &str) -> Status {
    from_rejection(&Rejection::new(
        Kind::NotFound,
        "RATE_NOT_FOUND",
        format!(
            "no rate {what} was published for {day} or the {LOOK_BACK_DAYS} days before it{last}"
        ),
    ))
}

#[tonic::async_trait]
impl Rpc for RateService {
    async fn publish_rates(
        &self,
        request: Request<pb::PublishRatesRequest>,
    ) -> Result<Response<pb::PublishRatesResponse>, Status> {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let given = call.message.days.len();
        let command = RatesCommand::Publish(publication(&mut r, &call.message));
        let command = checked::<Rates>(r, command, in_request);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, STREAM);
        let respond = |outcome: &Outcome<Rates>| {
            let days = outcome.events.iter().flat_map(|event| match event {
                RatesEvent::RatesPublished { days, .. } => days.as_slice(),
                RatesEvent::Unknown { .. } => &[],
            });
            let published_dates: Vec<String> = days.map(|day| day.date.to_string()).collect();
            let published = published_dates.len();
            let count = |days: usize| u32::try_from(days).unwrap_or(u32::MAX);
            pb::PublishRatesResponse {
                published_days: count(published),
                unchanged_days: count(given.saturating_sub(published)),
                consistency_token: token(outcome),
                published_dates,
            }
        };
        self.commands
            .run(&call, &stream, command, in_request, respond)
            .await
    }

    async fn get_rates(
        &self,
        request: Request<pb::GetRatesRequest>,
    ) -> Result<Response<pb::GetRatesResponse>, Status> {
        let mut r = Reader::new();
        let (book, day) = self
            .book_on(&request, &mut r, &request.get_ref().rate_date)
            .await?;
        r.finish(Some(()))
            .map_err(|rejection| from_rejection(&rejection))?;
        let found = book.in_force_on(day).ok_or_else(|| {
            let last = book.sources.range(..=day).next_back();
            let last = last.map(|(last, _)| format!("; the last ones are of {last}"));
            no_rates(day, "of any currency", &last.unwrap_or_default())
        })?;
        Ok(Response::new(found))
    }

    async fn convert_money(
        &self,
        request: Request<pb::ConvertMoneyRequest>,
    ) -> Result<Response<pb::ConvertMoneyResponse>, Status> {
        let mut r = Reader::new();
        let message = request.get_ref();
        let money = r.required("money", message.money.clone(), c::money);
        let to = r.at("to_currency_code", |r| {
            c::currency(r, &message.to_currency_code)
        });
        let (book, day) = self.book_on(&request, &mut r, &message.rate_date).await?;
        let (money, to) = r
            .finish(money.zip(to))
            .map_err(|rejection| from_rejection(&rejection))?;
        let converted = book.convert(money, to, day);
        Ok(Response::new(converted.ok_or_else(|| {
            let between = format!("between {} and {to}", money.currency);
            no_rates(day, &between, &book.last_of(&[money.currency, to], day))
        })?))
    }
}
