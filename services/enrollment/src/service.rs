//! The service of enrollments.

use tierline_domain::enrollment::{
    DecideRecommendation, Direction, Enrollment, EnrollmentCommand, PinTier, TrackFacts,
};
use tierline_domain::partner::PartnerStatus;
use tierline_domain::standing::{self, Standing};
use tierline_domain::{EnrollmentId, Rejection, StreamId, TierId};
use tierline_eventstore::Outcome;
use tierline_proto::enrollment::v1::enrollment_service_server::{
    EnrollmentService as Rpc, EnrollmentServiceServer,
};
use tierline_proto::enrollment::v1::{self as pb};
use tierline_rpc::bulk::Answers;
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, token};
use tierline_rpc::{Call, Commands, OrgTime, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status, Streaming};

use crate::convert::in_request;
use crate::lookup::{Place, contact_of, place, program, track_of};
use crate::{bulk, convert};

/// Commands of enrollments.
#[derive(Clone)]
pub struct EnrollmentService {
    commands: Commands,
}

/// The server of enrollments.
pub fn enrollment_server(commands: Commands) -> EnrollmentServiceServer<EnrollmentService> {
    EnrollmentServiceServer::new(EnrollmentService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::EnrollmentResponse>, Status>;

/// A decision on a recommendation, as both requests describe it.
struct Decision<'a> {
    enrollment: &'a str,
    recommendation: u32,
    tier: &'a str,
    note: &'a str,
    note_required: bool,
}

macro_rules! decisions {
    ($($type:ident, $note_required:literal;)+) => { $(
        impl<'a> From<&'a pb::$type> for Decision<'a> {
            fn from(request: &'a pb::$type) -> Self {
                Self {
                    enrollment: &request.enrollment_id,
                    recommendation: request.recommendation,
                    tier: &request.tier_id,
                    note: &request.note,
                    note_required: $note_required,
                }
            }
        }
    )+ };
}

decisions!(
    ApproveRecommendationRequest, false;
    RejectRecommendationRequest, true;
);

impl EnrollmentService {
    async fn change<M: Mutation>(
        &self,
        request: Request<M>,
        enrollment: fn(&M) -> &str,
        read: impl FnOnce(&mut Reader, &M, &OrgTime) -> EnrollmentCommand,
    ) -> Answer {
        let read = |r: &mut Reader, request: &M, time: &OrgTime| {
            let id = f::id(r, "enrollment_id", EnrollmentId::parse(enrollment(request)));
            (id.to_string(), read(r, request, time))
        };
        self.commands
            .change(request, read, in_request, response)
            .await
    }

    /// Decides on the recommendation that is open in the standing.
    async fn decide<M>(
        &self,
        request: Request<M>,
        command: fn(DecideRecommendation) -> EnrollmentCommand,
    ) -> Answer
    where
        M: Mutation,
        for<'a> Decision<'a>: From<&'a M>,
    {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let decision = Decision::from(&call.message);
        let mut r = Reader::new();
        let id = f::id(
            &mut r,
            "enrollment_id",
            EnrollmentId::parse(decision.enrollment),
        );
        let tier = f::optional_id(&mut r, "tier_id", decision.tier.to_owned(), TierId::parse);
        if decision.note_required && decision.note.trim().is_empty() {
            r.at("note", |r| r.wrong::<()>("is required"));
        }
        let mut decide = DecideRecommendation {
            recommendation: decision.recommendation,
            direction: Direction::Promotion,
            tier: tier.clone().unwrap_or_else(any_tier),
            note: decision.note.to_owned(),
            today: time.today,
        };
        checked::<Enrollment>(r, command(decide.clone()), in_request)
            .map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        let standing = self.commands.store().load::<Standing>(&stream).await;
        let standing = standing.map_err(|error| from_command_error(&error))?;
        let open = standing.state.recommended.as_ref().filter(|open| {
            open.number == decision.recommendation
                && tier.as_ref().is_none_or(|tier| *tier == open.to)
        });
        let Some(open) = open else {
            let refusal = self.not_open(&stream, &decision, &standing.state).await?;
            return self.commands.refuse_or_repeat(&call, &refusal).await;
        };
        decide.tier = open.to.clone();
        decide.direction = match open.direction {
            standing::Direction::Promotion => Direction::Promotion,
            standing::Direction::Demotion => Direction::Demotion,
        };
        self.commands
            .run(&call, &stream, command(decide), in_request, response)
            .await
    }

    async fn not_open(
        &self,
        stream: &StreamId,
        decision: &Decision<'_>,
        standing: &Standing,
    ) -> Result<Rejection, Status> {
        self.commands
            .existing::<Enrollment>(stream, "enrollment")
            .await?;
        let open = match &standing.recommended {
            Some(open) => format!("open is number {}, for tier {}", open.number, open.to),
            None => "none is open".to_owned(),
        };
        let mut rejection = Rejection::precondition(
            "RECOMMENDATION_NOT_OPEN",
            format!(
                "recommendation {} is not open so; {open}",
                decision.recommendation
            ),
        );
        rejection.resource = Some(format!("enrollment/{}", stream.id()));
        Ok(rejection)
    }
}

/// Stands for the tier until the standing says which one it is.
fn any_tier() -> TierId {
    TierId::parse("any").unwrap_or_default()
}

fn response(outcome: &Outcome<Enrollment>) -> pb::EnrollmentResponse {
    pb::EnrollmentResponse {
        enrollment: Some(convert::message(
            outcome.stream.id(),
            &outcome.state,
            outcome.version,
        )),
        consistency_token: token(outcome),
        warnings: Vec::new(),
    }
}

/// The answer to a new enrollment says when history counts.
fn enrolled(outcome: &Outcome<Enrollment>) -> pb::EnrollmentResponse {
    let mut response = response(outcome);
    if let Some(enrolled) = outcome
        .state
        .enrolled()
        .filter(|enrolled| enrolled.backdated)
    {
        response.warnings.push(format!(
            "the enrollment begins on {}, before today: what the partner has done since then \
             counts",
            enrolled.start_date
        ));
    }
    response
}

#[tonic::async_trait]
impl Rpc for EnrollmentService {
    async fn enroll_partner(&self, request: Request<pb::EnrollPartnerRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let mut wish = convert::request(&mut r, &call.message);
        r.finish(Some(()))
            .map_err(|rejection| from_rejection(&rejection))?;
        let failed = |error| from_command_error(&error);
        let org = &call.context.org;
        let partners = self.commands.partners();
        let partner = partners.get(org, &wish.partner).await.map_err(failed)?;
        let program = program(&self.commands, org, &wish.program)
            .await
            .map_err(failed)?;
        let track = track_of(&program, wish.track.take(), time.today);
        let track = track.map_err(|rejection| from_rejection(&rejection))?;
        let contact = contact_of(&partner, wish.primary_contact.take());
        wish.primary_contact = contact.map_err(|rejection| from_rejection(&rejection))?;
        let status = partner.status().unwrap_or(PartnerStatus::Inactive);
        let id = match wish.enrollment.take() {
            Some(id) => id,
            None => {
                let of = (&wish.partner, &wish.program, &track);
                match place(&self.commands, org, of).await.map_err(failed)? {
                    Place::Free(id) | Place::Enrolled(id) => id,
                }
            }
        };
        let facts = TrackFacts::of(&program, &track);
        let stream = StreamId::new(org, &id);
        let enroll = wish.command(id, track, status, facts, time.today);
        let command = EnrollmentCommand::Enroll(Box::new(enroll));
        self.commands
            .run(&call, &stream, command, in_request, enrolled)
            .await
    }

    async fn get_enrollment(
        &self,
        request: Request<pb::GetEnrollmentRequest>,
    ) -> Result<Response<pb::Enrollment>, Status> {
        let id = EnrollmentId::parse(request.get_ref().enrollment_id.as_str());
        let found = self
            .commands
            .get::<Enrollment, _>(&request, "enrollment", id)
            .await;
        let (stream, enrollment) = found?;
        let (state, version) = (&enrollment.state, enrollment.version);
        Ok(Response::new(convert::message(stream.id(), state, version)))
    }

    async fn pin_tier(&self, request: Request<pb::PinTierRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let message = &call.message;
        let id = EnrollmentId::parse(message.enrollment_id.as_str());
        let id = f::id(&mut r, "enrollment_id", id);
        let tier = f::id(&mut r, "tier_id", TierId::parse(message.tier_id.as_str()));
        let until = f::optional_date(&mut r, "until_date", &message.until_date);
        r.finish(Some(()))
            .map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        let known = self
            .commands
            .existing::<Enrollment>(&stream, "enrollment")
            .await?;
        let facts = match known.state.enrolled() {
            Some(enrolled) => {
                let found = program(&self.commands, &call.context.org, &enrolled.program).await;
                let found = found.map_err(|error| from_command_error(&error))?;
                TrackFacts::of(&found, &enrolled.track)
            }
            None => TrackFacts::default(),
        };
        let command = EnrollmentCommand::Pin(PinTier {
            tier,
            reason: message.reason.clone(),
            until,
            today: time.today,
            track_facts: facts,
        });
        self.commands
            .run(&call, &stream, command, in_request, response)
            .await
    }

    async fn clear_pin(&self, request: Request<pb::ClearPinRequest>) -> Answer {
        let read =
            |_: &mut Reader, m: &pb::ClearPinRequest, time: &OrgTime| EnrollmentCommand::ClearPin {
                reason: m.reason.clone(),
                today: time.today,
            };
        self.change(request, |m| &m.enrollment_id, read).await
    }

    async fn extend_enrollment(&self, request: Request<pb::ExtendEnrollmentRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::ExtendEnrollmentRequest, time: &OrgTime| {
            EnrollmentCommand::Extend {
                end_date: f::optional_date(r, "end_date", &m.end_date),
                today: time.today,
            }
        };
        self.change(request, |m| &m.enrollment_id, read).await
    }

    async fn terminate_enrollment(
        &self,
        request: Request<pb::TerminateEnrollmentRequest>,
    ) -> Answer {
        let read = |r: &mut Reader, m: &pb::TerminateEnrollmentRequest, time: &OrgTime| {
            EnrollmentCommand::Terminate {
                date: f::optional_date(r, "date", &m.date).unwrap_or(time.today),
                reason: m.reason.clone(),
                today: time.today,
            }
        };
        self.change(request, |m| &m.enrollment_id, read).await
    }

    async fn approve_recommendation(
        &self,
        request: Request<pb::ApproveRecommendationRequest>,
    ) -> Answer {
        self.decide(request, EnrollmentCommand::ApproveRecommendation)
            .await
    }

    async fn reject_recommendation(
        &self,
        request: Request<pb::RejectRecommendationRequest>,
    ) -> Answer {
        self.decide(request, EnrollmentCommand::RejectRecommendation)
            .await
    }

    type EnrollPartnersStream = Answers;

    async fn enroll_partners(
        &self,
        request: Request<Streaming<pb::EnrollPartnersRequest>>,
    ) -> Result<Response<Answers>, Status> {
        bulk::serve(self.commands.clone(), request)
    }
}
