//! A caller of the services, with a trace of its own or without.

use std::time::Duration;

use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::{DealSource, RegisterDealRequest, WinDealRequest};
use tierline_proto::common::v1::Money;
use tierline_proto::enrollment::v1::EnrollPartnerRequest;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::partner::v1::{Contact, CreatePartnerRequest, Partner, PartnerType};
use tierline_proto::query::v1::GetStandingRequest;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::program::Program;

pub const PROGRAM: &str = "three-tier-revenue";

pub struct Caller {
    channel: Channel,
    pub token: String,
}

impl Caller {
    /// An admin of an org that is made here, with a program that reaches back to 2020.
    pub async fn in_new_org(server: &Program, org: &str) -> Self {
        server.run(&[
            "org",
            "create",
            org,
            "--name",
            org,
            "--currency",
            "USD",
            "--time-zone",
            "UTC",
        ]);
        let program = Program::root().join(format!("programs/{PROGRAM}.yaml"));
        let program = program.display().to_string();
        let there = server.in_org(org);
        there.run(&["program", "apply", &program, "--effective", "2020-01-01"]);
        let token = there.run(&["token", "create", "--role", "admin"]);
        let token = token
            .split_whitespace()
            .find(|word| word.matches('.').count() == 2);
        let address = server.address();
        let channel = Endpoint::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            channel,
            token: token.unwrap().to_owned(),
        }
    }

    pub fn request<T>(&self, message: T, traceparent: Option<&str>) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        if let Some(traceparent) = traceparent {
            let traceparent = traceparent.parse().unwrap();
            request.metadata_mut().insert("traceparent", traceparent);
        }
        request.set_timeout(Duration::from_secs(20));
        request
    }

    /// A partner with a contact, enrolled.
    pub async fn partner(&self, partner: &str, contact: Contact) -> Result<(), Status> {
        let create = CreatePartnerRequest {
            partner_id: partner.to_owned(),
            partner: Some(Partner {
                name: partner.to_owned(),
                domain: format!("{partner}.example"),
                partner_type: PartnerType::Reseller.into(),
                ..Partner::default()
            }),
            primary_contact: Some(contact),
            ..CreatePartnerRequest::default()
        };
        let mut partners = PartnerServiceClient::new(self.channel.clone());
        partners.create_partner(self.request(create, None)).await?;
        let enroll = EnrollPartnerRequest {
            partner_id: partner.to_owned(),
            program_id: PROGRAM.to_owned(),
            track_id: "resell".to_owned(),
            start_date: "2024-01-01".to_owned(),
            ..EnrollPartnerRequest::default()
        };
        let mut enrollments = EnrollmentServiceClient::new(self.channel.clone());
        enrollments
            .enroll_partner(self.request(enroll, None))
            .await?;
        Ok(())
    }

    pub async fn register(&self, partner: &str, deal: &str, closed: &str) -> Result<(), Status> {
        let register = RegisterDealRequest {
            deal_id: deal.to_owned(),
            partner_id: partner.to_owned(),
            name: "A deal".to_owned(),
            source: DealSource::PartnerSourced.into(),
            registered_date: closed.to_owned(),
            amount: Some(Money {
                amount: "600000.00".to_owned(),
                currency_code: "USD".to_owned(),
            }),
            ..RegisterDealRequest::default()
        };
        let mut deals = DealServiceClient::new(self.channel.clone());
        let registered = deals.register_deal(self.request(register, None)).await?;
        // What comes next is then not taken in the same batch, and causes alone what follows.
        self.tier(partner, registered.into_inner().consistency_token)
            .await?;
        Ok(())
    }

    /// The tier of a partner, once everything before the token is applied.
    async fn tier(&self, partner: &str, token: String) -> Result<String, Status> {
        let get = GetStandingRequest {
            subject: Some(Subject::PartnerId(partner.to_owned())),
            consistency_token: token,
            ..GetStandingRequest::default()
        };
        let mut standings = StandingQueryServiceClient::new(self.channel.clone());
        let found = standings.get_standing(self.request(get, None)).await?;
        Ok(found.into_inner().standings[0].tier_name.clone())
    }

    /// Wins a deal and waits until the tier shows it.
    pub async fn win(
        &self,
        partner: &str,
        deal: &str,
        closed: &str,
        traceparent: Option<&str>,
    ) -> Result<String, Status> {
        let win = WinDealRequest {
            deal_id: deal.to_owned(),
            closed_date: closed.to_owned(),
            ..WinDealRequest::default()
        };
        let mut deals = DealServiceClient::new(self.channel.clone());
        let won = deals.win_deal(self.request(win, traceparent)).await?;
        self.tier(partner, won.into_inner().consistency_token).await
    }
}
