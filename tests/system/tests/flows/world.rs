//! What most flows begin with: an org, its program, partners that take part.

use serde_json::Value;

use crate::client::Client;
use crate::topology::Topology;

/// The program of every org.
pub const PROGRAM: &str = include_str!("program.yaml");

/// Creates a sandbox org whose clock stands at `today`, and publishes its program.
pub async fn found(topology: &Topology, org: &str, today: &str) -> Client {
    let client = topology.client(org);
    let create =
        format!("name: \"Org {org}\" base_currency_code: \"EUR\" sandbox_start_date: \"{today}\"");
    let created = client.ok("program.v1.OrgService/CreateOrg", &create).await;
    assert_eq!(created["org"]["today_date"], today, "{created}");
    let apply = format!("yaml: {PROGRAM:?} effective_date: \"2020-01-01\"");
    let applied = client
        .ok("program.v1.ProgramService/ApplyProgram", &apply)
        .await;
    assert_eq!(applied["version"], 1, "{applied}");
    client
}

impl Client {
    /// Creates a partner.
    pub async fn create_partner(&self, partner: &str) -> Value {
        let request = format!(
            "partner_id: \"{partner}\" partner {{ name: \"Partner {partner}\" \
             domain: \"{partner}.example\" partner_type: PARTNER_TYPE_RESELLER \
             status: PARTNER_STATUS_ACTIVE }} primary_contact {{ first_name: \"Ada\" \
             last_name: \"Byron\" email: \"ada@{partner}.example\" }}"
        );
        self.ok("partner.v1.PartnerService/CreatePartner", &request)
            .await
    }

    /// Enrolls a partner; the enrollment is named after partner and track.
    pub async fn enroll(&self, partner: &str, track: &str) -> Value {
        let request = format!(
            "enrollment_id: \"{partner}-{track}\" partner_id: \"{partner}\" \
             program_id: \"flows\" track_id: \"{track}\""
        );
        self.ok("enrollment.v1.EnrollmentService/EnrollPartner", &request)
            .await
    }

    /// A new partner that takes part in a track.
    pub async fn enrolled(&self, partner: &str, track: &str) -> Value {
        self.create_partner(partner).await;
        self.enroll(partner, track).await
    }

    /// Registers a deal.
    pub async fn register(&self, deal: &str, partner: &str, amount: &str) -> Value {
        let (amount, currency) = amount.split_once(' ').unwrap();
        let request = format!(
            "deal_id: \"{deal}\" partner_id: \"{partner}\" name: \"Deal {deal}\" \
             customer {{ name: \"Globex\" domain: \"{deal}.example\" }} \
             amount {{ amount: \"{amount}\" currency_code: \"{currency}\" }} \
             source: DEAL_SOURCE_PARTNER_SOURCED"
        );
        self.ok("activity.v1.DealService/RegisterDeal", &request)
            .await
    }

    /// Registers a deal and wins it.
    pub async fn won(&self, deal: &str, partner: &str, amount: &str) -> Value {
        self.register(deal, partner, amount).await;
        let request = format!("deal_id: \"{deal}\"");
        self.ok("activity.v1.DealService/WinDeal", &request).await
    }

    /// Moves the clock.
    pub async fn advance(&self, to: &str) -> Value {
        let request = format!("to_date: \"{to}\"");
        self.ok("program.v1.OrgService/AdvanceClock", &request)
            .await
    }

    /// The standing of an enrollment, once it shows what a command did.
    pub async fn standing(&self, enrollment: &str, after: &Value) -> Value {
        let request = format!("enrollment_id: \"{enrollment}\"");
        let name = "query.v1.StandingQueryService/GetStanding";
        let mut shown = self.read(name, &request, after).await;
        let standings = shown["standings"].as_array_mut().unwrap();
        assert_eq!(standings.len(), 1, "{enrollment}: {standings:?}");
        standings.remove(0)
    }

    /// The tier of an enrollment, once it shows what a command did.
    pub async fn tier(&self, enrollment: &str, after: &Value) -> String {
        let standing = self.standing(enrollment, after).await;
        text(&standing["tier_id"])
    }
}

/// A text in an answer.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// A field of every item of a list.
pub fn each(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| text(&item[field])).collect()
}
