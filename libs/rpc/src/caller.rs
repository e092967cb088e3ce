//! Who is calling: always from the credential, never from the request.

use std::collections::BTreeSet;
use std::sync::Arc;

pub use tierline_domain::access::Role;
use tierline_domain::{ApiKeyId, OrgId, PartnerId, Rejection};
use tonic::Status;

use crate::status;

/// Roles that see every partner of the org.
const SEES_EVERY_PARTNER: &[Role] = &[
    Role::Admin,
    Role::PartnerManager,
    Role::Auditor,
    Role::Viewer,
    Role::Integration,
];

/// A caller whose credential was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The subject of the credential.
    pub subject: String,
    /// The org on which the caller acts.
    pub org: OrgId,
    /// What the caller may be.
    pub roles: BTreeSet<Role>,
    /// The partner that a partner contact belongs to.
    pub partner: Option<PartnerId>,
    /// The API key that the caller came with; absent: it came with a token.
    pub api_key: Option<ApiKeyId>,
}

impl Caller {
    /// The caller that the [`crate::AuthLayer`] put into the extensions of a request.
    ///
    /// # Errors
    /// UNAUTHENTICATED when there is none: the method is then not behind the layer.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Arc<Self>, Status> {
        request
            .extensions()
            .get::<Arc<Self>>()
            .cloned()
            .ok_or_else(|| status::unauthenticated("the call carries no verified credential"))
    }

    /// True when the caller has one of the roles.
    pub fn has_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }

    /// How the caller appears in the metadata of events: `user:…`, `service:…` for another system
    /// with a token, or `key:…` for the holder of an API key.
    pub fn actor(&self) -> String {
        if let Some(key) = &self.api_key {
            return format!("key:{key}");
        }
        let kind = if self.roles.contains(&Role::Integration) {
            "service"
        } else {
            "user"
        };
        format!("{kind}:{}", self.subject)
    }

    /// The only partner that the caller may see, if its roles confine it to one. A query must
    /// apply it to whatever it reads. Of the other roles only those that see every partner lift
    /// the confinement: an operator sees no partner at all.
    pub fn confined_to(&self) -> Option<&PartnerId> {
        let sees_all = self.has_any(SEES_EVERY_PARTNER);
        self.partner.as_ref().filter(|_| !sees_all)
    }

    /// Refuses what belongs to another partner than the one the caller is confined to.
    ///
    /// # Errors
    /// `PARTNER_NOT_FOUND`: whether the other partner exists is not told.
    pub fn check_partner(&self, partner: &PartnerId) -> Result<(), Rejection> {
        match self.confined_to() {
            Some(own) if own != partner => Err(Rejection::not_found("partner", partner)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[Role], partner: Option<&str>) -> Caller {
        Caller {
            subject: "ada".to_owned(),
            org: OrgId::parse("acme").unwrap(),
            roles: roles.iter().copied().collect(),
            partner: partner.map(|id| PartnerId::parse(id).unwrap()),
            api_key: None,
        }
    }

    #[test]
    fn a_partner_contact_sees_its_own_partner_only() {
        let contact = caller(&[Role::PartnerContact], Some("p-1"));
        let other = PartnerId::parse("p-2").unwrap();
        assert_eq!(
            contact.check_partner(&other).unwrap_err().reason,
            "PARTNER_NOT_FOUND"
        );
        contact
            .check_partner(&PartnerId::parse("p-1").unwrap())
            .unwrap();
        caller(&[Role::Viewer], None).check_partner(&other).unwrap();
    }

    #[test]
    fn a_partner_contact_who_runs_the_system_too_still_sees_its_own_partner_only() {
        let roles = [Role::PartnerContact, Role::Operator];
        let other = PartnerId::parse("p-2").unwrap();
        let both = caller(&roles, Some("p-1"));
        let refusal = both.check_partner(&other).unwrap_err();
        assert_eq!(refusal.reason, "PARTNER_NOT_FOUND");
        let roles = [Role::PartnerContact, Role::Viewer];
        caller(&roles, Some("p-1")).check_partner(&other).unwrap();
    }

    #[test]
    fn other_systems_and_people_are_told_apart_in_the_log() {
        assert_eq!(caller(&[Role::Admin], None).actor(), "user:ada");
        assert_eq!(caller(&[Role::Integration], None).actor(), "service:ada");
    }

    #[test]
    fn a_call_that_bypassed_the_layer_has_no_caller() {
        let status = Caller::of(&tonic::Request::new(())).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
    }
}
