//! The service of deals.

mod bulk;
mod convert;

use tierline_domain::activity::{Deal, DealCommand, ReverseDeal};
use tierline_domain::{DealId, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::activity::v1::deal_service_server::{DealService as Rpc, DealServiceServer};
use tierline_proto::activity::v1::{self as pb};
use tierline_rpc::bulk::Answers;
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, new_id, same, token};
use tierline_rpc::{Call, Commands, OrgTime, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status, Streaming};

/// Commands of deals.
#[derive(Clone)]
pub struct DealService {
    commands: Commands,
}

/// The server of deals.
pub fn deal_server(commands: Commands) -> DealServiceServer<DealService> {
    DealServiceServer::new(DealService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::DealResponse>, Status>;

impl DealService {
    async fn change<M: Mutation>(
        &self,
        request: Request<M>,
        deal: fn(&M) -> &str,
        read: impl FnOnce(&mut Reader, &M, &OrgTime) -> DealCommand,
        rename: fn(&str) -> String,
    ) -> Answer {
        let read = |r: &mut Reader, request: &M, time: &OrgTime| {
            let id = f::id(r, "deal_id", DealId::parse(deal(request)));
            (id.to_string(), read(r, request, time))
        };
        self.commands.change(request, read, rename, response).await
    }
}

fn response(outcome: &Outcome<Deal>) -> pb::DealResponse {
    pb::DealResponse {
        deal: Some(convert::message(
            outcome.stream.id(),
            &outcome.state,
            outcome.version,
        )),
        consistency_token: token(outcome),
    }
}

/// A correction names the fields of the record.
fn in_record(field: &str) -> String {
    format!("record.{field}")
}

#[tonic::async_trait]
impl Rpc for DealService {
    async fn register_deal(&self, request: Request<pb::RegisterDealRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let (given, context) = (&call.message.deal_id, &call.context);
        let deal = new_id(&mut r, "deal_id", given, context, DealId::parse);
        let mut register = convert::register(&mut r, &call.message, deal, time.today);
        let command = |register| DealCommand::Register(Box::new(register));
        checked::<Deal>(r, command(register.clone()), same).map_err(|r| from_rejection(&r))?;
        let partner = self
            .commands
            .partners()
            .get(&call.context.org, &register.partner)
            .await;
        let partner = partner.map_err(|error| from_command_error(&error))?;
        if let Some(status) = partner.status() {
            register.partner_status = status;
        }
        let stream = StreamId::new(&call.context.org, &register.deal);
        self.commands
            .run(&call, &stream, command(register), same, response)
            .await
    }

    async fn get_deal(
        &self,
        request: Request<pb::GetDealRequest>,
    ) -> Result<Response<pb::Deal>, Status> {
        let id = DealId::parse(request.get_ref().deal_id.as_str());
        let (stream, deal) = self.commands.get::<Deal, _>(&request, "deal", id).await?;
        Ok(Response::new(convert::message(
            stream.id(),
            &deal.state,
            deal.version,
        )))
    }

    async fn approve_deal(&self, request: Request<pb::ApproveDealRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::ApproveDealRequest, time: &OrgTime| {
            let date = f::optional_date(r, "approved_date", &m.approved_date);
            DealCommand::Approve {
                approved_date: date.unwrap_or(time.today),
            }
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn reject_deal(&self, request: Request<pb::RejectDealRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::RejectDealRequest, _: &OrgTime| DealCommand::Reject {
            reason: m.reason.clone(),
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn withdraw_deal(&self, request: Request<pb::WithdrawDealRequest>) -> Answer {
        let read =
            |_: &mut Reader, m: &pb::WithdrawDealRequest, _: &OrgTime| DealCommand::Withdraw {
                reason: m.reason.clone(),
            };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn win_deal(&self, request: Request<pb::WinDealRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::WinDealRequest, time: &OrgTime| {
            let date = f::optional_date(r, "closed_date", &m.closed_date);
            DealCommand::Win {
                closed_date: date.unwrap_or(time.today),
                amount: f::optional_money(r, "amount", m.amount.clone()),
            }
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn lose_deal(&self, request: Request<pb::LoseDealRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::LoseDealRequest, time: &OrgTime| {
            let date = f::optional_date(r, "closed_date", &m.closed_date);
            DealCommand::Lose {
                closed_date: date.unwrap_or(time.today),
                reason: m.reason.clone(),
            }
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn reopen_deal(&self, request: Request<pb::ReopenDealRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::ReopenDealRequest, _: &OrgTime| DealCommand::Reopen {
            reason: m.reason.clone(),
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    async fn amend_deal(&self, request: Request<pb::AmendDealRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::AmendDealRequest, _: &OrgTime| {
            DealCommand::Amend(Box::new(convert::changes(r, m)))
        };
        self.change(request, |m| &m.deal_id, read, in_record).await
    }

    async fn reverse_deal(&self, request: Request<pb::ReverseDealRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::ReverseDealRequest, time: &OrgTime| {
            let date = f::optional_date(r, "date", &m.date);
            DealCommand::Reverse(ReverseDeal {
                date: date.unwrap_or(time.today),
                amount: f::optional_money(r, "amount", m.amount.clone()),
                reason: m.reason.clone(),
            })
        };
        self.change(request, |m| &m.deal_id, read, same).await
    }

    type RecordDealsStream = Answers;

    async fn record_deals(
        &self,
        request: Request<Streaming<pb::RecordDealsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        bulk::serve(self.commands.clone(), request)
    }
}
