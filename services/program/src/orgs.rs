//! The service of the org.

use jiff::Timestamp;
use tierline_domain::program::org::{ClockTime, CreateOrg, Org, OrgCommand};
use tierline_domain::{Currency, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::program::v1::org_service_server::{OrgService as Rpc, OrgServiceServer};
use tierline_proto::program::v1::{self as pb};
use tierline_rpc::command::etag;
use tierline_rpc::convert::{Reader, common as c, fields as f};
use tierline_rpc::dispatch::{checked, token};
use tierline_rpc::{Call, Caller, Commands, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

/// Commands of the org.
#[derive(Clone)]
pub struct OrgService {
    commands: Commands,
}

/// The server of the org.
pub fn org_server(commands: Commands) -> OrgServiceServer<OrgService> {
    OrgServiceServer::new(OrgService { commands })
        .max_decoding_message_size(limits::MAX_SMALL_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::OrgResponse>, Status>;

impl OrgService {
    async fn run<M>(&self, call: &Call<M>, reader: Reader, command: OrgCommand) -> Answer {
        let command = checked::<Org>(reader, command, in_request);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::of_org(&call.context.org);
        let real = self.commands.clock().real_now();
        let respond = |outcome: &Outcome<Org>| pb::OrgResponse {
            org: Some(message(&outcome.state, outcome.version, real)),
            consistency_token: token(outcome),
        };
        self.commands
            .run(call, &stream, command, in_request, respond)
            .await
    }
}

/// The path in a request, of a path in the domain.
fn in_request(field: &str) -> String {
    match field {
        "sandbox_clock" => "sandbox_start_date",
        other => other,
    }
    .to_owned()
}

fn create(r: &mut Reader, call: &Call<pb::CreateOrgRequest>) -> CreateOrg {
    let or = |text: &str, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text.to_owned()
        }
    };
    let message = &call.message;
    let currency = or(&message.base_currency_code, "USD");
    let currency = r.at("base_currency_code", |r| c::currency(r, &currency));
    let start = f::optional_date(r, "sandbox_start_date", &message.sandbox_start_date);
    CreateOrg {
        org: call.context.org.clone(),
        name: message.name.clone(),
        time_zone: or(&message.time_zone, "UTC"),
        fiscal_year_start: match message.fiscal_year_start {
            0 => 1,
            // What does not fit is no month either, and the domain says so.
            month => i8::try_from(month).unwrap_or(i8::MAX),
        },
        base_currency: currency.unwrap_or(Currency::USD),
        sandbox_clock: start.map(ClockTime::Date),
    }
}

fn clock_time(r: &mut Reader, to: Option<pb::advance_clock_request::To>) -> ClockTime {
    use pb::advance_clock_request::To;
    match to {
        Some(To::ToDate(text)) => ClockTime::Date(f::date(r, "to_date", &text)),
        Some(To::ToTime(time)) => {
            let instant = Timestamp::new(time.seconds, time.nanos).ok();
            let instant = instant.or_else(|| {
                r.at("to_time", |r| {
                    r.wrong("must be an instant from the year 1900 to 2199")
                })
            });
            ClockTime::Instant(instant.unwrap_or_default())
        }
        None => {
            r.at("to_date", |r| r.wrong::<()>("is required, or to_time"));
            ClockTime::Instant(Timestamp::default())
        }
    }
}

/// An org as the contract writes it.
fn message(org: &Org, version: u64, real_now: Timestamp) -> pb::Org {
    let clock = org.is_sandbox().then(|| org.now(real_now));
    let calendar = org.calendar();
    pb::Org {
        org_id: org.id().map(ToString::to_string).unwrap_or_default(),
        name: org.name().to_owned(),
        time_zone: calendar.time_zone.clone(),
        fiscal_year_start: i32::from(calendar.fiscal_year_start),
        base_currency_code: org
            .base_currency()
            .map(|c| c.to_string())
            .unwrap_or_default(),
        sandbox: org.is_sandbox(),
        today_date: org.today(real_now).to_string(),
        clock_time: clock.map(|at| prost_types::Timestamp {
            seconds: at.as_second(),
            nanos: at.subsec_nanosecond(),
        }),
        etag: etag(version),
    }
}

#[tonic::async_trait]
impl Rpc for OrgService {
    async fn create_org(&self, request: Request<pb::CreateOrgRequest>) -> Answer {
        let call = Call::new(request)?;
        let mut r = Reader::new();
        let command = OrgCommand::Create(create(&mut r, &call));
        self.run(&call, r, command).await
    }

    async fn get_org(
        &self,
        request: Request<pb::GetOrgRequest>,
    ) -> Result<Response<pb::Org>, Status> {
        let org = &Caller::of(&request)?.org;
        // Says how to create the org, where it is missing.
        self.commands
            .clock()
            .at(org)
            .await
            .map_err(|error| from_command_error(&error))?;
        let loaded = self
            .commands
            .existing::<Org>(&StreamId::of_org(org), "org")
            .await?;
        let real = self.commands.clock().real_now();
        Ok(Response::new(message(&loaded.state, loaded.version, real)))
    }

    async fn update_org(&self, request: Request<pb::UpdateOrgRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let command = OrgCommand::Edit {
            name: call.message.name.clone(),
        };
        self.run(&call, Reader::new(), command).await
    }

    async fn advance_clock(&self, request: Request<pb::AdvanceClockRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let to = clock_time(&mut r, call.message.to.clone());
        self.run(&call, r, OrgCommand::AdvanceClock { to }).await
    }
}
