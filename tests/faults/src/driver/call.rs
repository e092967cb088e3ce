//! The calls of the load, and the clients of one org.

use std::time::Duration;

use anyhow::Context as _;
use prost::Message as _;
use tierline_proto::activity::v1 as activity;
use tierline_proto::activity::v1::certification_service_client::CertificationServiceClient;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::common::v1::Money;
use tierline_proto::enrollment::v1 as enrollment;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::partner::v1 as partner;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// The program that every org of a sandbox publishes.
pub const PROGRAM: &str = "faults";
/// Its only track.
pub const TRACK: &str = "main";

/// Adds the token to every call.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let token = self.0.clone();
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

/// A channel that shows a token with every call and connects when it is needed.
pub type Connection = InterceptedService<Channel, Bearer>;

/// Where to send the calls of one org.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The org.
    pub org: String,
    /// Commands on orgs, programs, partners and enrollments.
    pub front: Connection,
    /// Commands on deals and certifications.
    pub activity: Connection,
    /// Queries.
    pub query: Connection,
}

/// A channel to a port of this machine.
///
/// # Errors
/// When the token has characters that a token never has.
pub fn connection(port: u16, token: &str) -> anyhow::Result<Connection> {
    let bearer = format!("Bearer {token}").parse().context("no token")?;
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?
        .connect_timeout(Duration::from_secs(3))
        .connect_lazy();
    Ok(InterceptedService::new(channel, Bearer(bearer)))
}

/// A command of the load.
#[derive(Debug, Clone)]
pub enum Call {
    /// Creates a partner.
    Create(partner::CreatePartnerRequest),
    /// Adds a tag.
    Tag(partner::TagPartnerRequest),
    /// Changes the name of a partner.
    Rename(partner::UpdatePartnerRequest),
    /// Enrolls a partner.
    Enroll(enrollment::EnrollPartnerRequest),
    /// Registers a deal.
    Register(activity::RegisterDealRequest),
    /// Approves a deal.
    Approve(activity::ApproveDealRequest),
    /// Wins a deal.
    Win(activity::WinDealRequest),
    /// Awards a certification.
    Award(activity::AwardCertificationRequest),
}

/// What happens to one partner, in order.
pub fn story(id: &str, deals: u32) -> Vec<Call> {
    let partner_id = format!("p-{id}");
    let mut calls = vec![create(&partner_id)];
    calls.push(Call::Enroll(enrollment::EnrollPartnerRequest {
        enrollment_id: format!("e-{id}"),
        partner_id: partner_id.clone(),
        program_id: PROGRAM.to_owned(),
        track_id: TRACK.to_owned(),
        start_date: "2024-01-01".to_owned(),
        ..Default::default()
    }));
    for number in 0..deals {
        let deal_id = format!("d-{id}-{number}");
        calls.push(register(&deal_id, &partner_id));
        calls.push(Call::Approve(activity::ApproveDealRequest {
            deal_id: deal_id.clone(),
            ..Default::default()
        }));
        calls.push(Call::Win(activity::WinDealRequest {
            deal_id,
            ..Default::default()
        }));
    }
    calls.push(Call::Award(activity::AwardCertificationRequest {
        certification_id: format!("c-{id}"),
        partner_id: partner_id.clone(),
        holder: Some(activity::Holder {
            person: format!("person-{id}"),
            name: "Ada Byron".to_owned(),
            email: String::new(),
        }),
        name: "Operator".to_owned(),
        level: "expert".to_owned(),
        awarded_date: "2025-01-15".to_owned(),
        ..Default::default()
    }));
    calls.push(tag(&partner_id, "seen"));
    calls
}

/// Creates a partner that may do business.
pub fn create(partner_id: &str) -> Call {
    Call::Create(partner::CreatePartnerRequest {
        partner_id: partner_id.to_owned(),
        partner: Some(partner::Partner {
            name: format!("Partner {partner_id}"),
            domain: format!("{partner_id}.example"),
            partner_type: partner::PartnerType::Reseller.into(),
            status: partner::PartnerStatus::Active.into(),
            region: "EMEA".to_owned(),
            ..Default::default()
        }),
        primary_contact: Some(partner::Contact {
            first_name: "Ada".to_owned(),
            last_name: "Byron".to_owned(),
            email: format!("ada@{partner_id}.example"),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// Registers a deal of a partner.
pub fn register(deal_id: &str, partner_id: &str) -> Call {
    Call::Register(activity::RegisterDealRequest {
        deal_id: deal_id.to_owned(),
        partner_id: partner_id.to_owned(),
        name: format!("Deal {deal_id}"),
        amount: Some(Money {
            amount: "1250.00".to_owned(),
            currency_code: "EUR".to_owned(),
        }),
        source: activity::DealSource::PartnerSourced.into(),
        ..Default::default()
    })
}

/// Gives a partner another name.
pub fn rename(partner_id: &str, name: &str) -> Call {
    Call::Rename(partner::UpdatePartnerRequest {
        partner: Some(partner::Partner {
            partner_id: partner_id.to_owned(),
            name: name.to_owned(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["name".to_owned()],
        }),
        ..Default::default()
    })
}

/// Adds a tag to a partner.
pub fn tag(partner_id: &str, tag: &str) -> Call {
    Call::Tag(partner::TagPartnerRequest {
        partner_id: partner_id.to_owned(),
        tags: vec![tag.to_owned()],
        ..Default::default()
    })
}

impl Call {
    /// What it does, for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "CreatePartner",
            Self::Tag(_) => "TagPartner",
            Self::Rename(_) => "UpdatePartner",
            Self::Enroll(_) => "EnrollPartner",
            Self::Register(_) => "RegisterDeal",
            Self::Approve(_) => "ApproveDeal",
            Self::Win(_) => "WinDeal",
            Self::Award(_) => "AwardCertification",
        }
    }

    /// The id under which it is sent, again and again.
    pub fn request_id(&self) -> &str {
        match self {
            Self::Create(request) => &request.request_id,
            Self::Tag(request) => &request.request_id,
            Self::Rename(request) => &request.request_id,
            Self::Enroll(request) => &request.request_id,
            Self::Register(request) => &request.request_id,
            Self::Approve(request) => &request.request_id,
            Self::Win(request) => &request.request_id,
            Self::Award(request) => &request.request_id,
        }
    }

    /// Sets the id.
    pub fn set_request_id(&mut self, id: &str) {
        let field = match self {
            Self::Create(request) => &mut request.request_id,
            Self::Tag(request) => &mut request.request_id,
            Self::Rename(request) => &mut request.request_id,
            Self::Enroll(request) => &mut request.request_id,
            Self::Register(request) => &mut request.request_id,
            Self::Approve(request) => &mut request.request_id,
            Self::Win(request) => &mut request.request_id,
            Self::Award(request) => &mut request.request_id,
        };
        id.clone_into(field);
    }
}

impl Clients {
    /// Sends a call once and gives the encoded answer.
    ///
    /// # Errors
    /// What the server or the transport says.
    pub async fn send(&self, call: &Call, deadline: Duration) -> Result<Vec<u8>, Status> {
        fn timed<T>(message: &T, deadline: Duration) -> Request<T>
        where
            T: Clone,
        {
            let mut request = Request::new(message.clone());
            request.set_timeout(deadline);
            request
        }
        let (front, activity) = (self.front.clone(), self.activity.clone());
        macro_rules! sent {
            ($client:expr, $method:ident, $message:expr) => {{
                let answer = $client.$method(timed($message, deadline)).await?;
                Ok(answer.into_inner().encode_to_vec())
            }};
        }
        match call {
            Call::Create(message) => {
                sent!(PartnerServiceClient::new(front), create_partner, message)
            }
            Call::Tag(message) => sent!(PartnerServiceClient::new(front), tag_partner, message),
            Call::Rename(message) => {
                sent!(PartnerServiceClient::new(front), update_partner, message)
            }
            Call::Enroll(message) => {
                sent!(EnrollmentServiceClient::new(front), enroll_partner, message)
            }
            Call::Register(message) => {
                sent!(DealServiceClient::new(activity), register_deal, message)
            }
            Call::Approve(message) => {
                sent!(DealServiceClient::new(activity), approve_deal, message)
            }
            Call::Win(message) => sent!(DealServiceClient::new(activity), win_deal, message),
            Call::Award(message) => {
                let client = &mut CertificationServiceClient::new(activity);
                sent!(client, award_certification, message)
            }
        }
    }
}
