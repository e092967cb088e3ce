//! Who is calling: always from the credential, never from the request.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tierline_domain::{OrgId, PartnerId, Rejection};
use tonic::Status;

use crate::status;

/// What a caller is allowed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Configures the org and its programs, and may do everything in the org.
    Admin,
    /// Works with partners, enrollments and deals.
    PartnerManager,
    /// Reads everything, proofs included.
    Auditor,
    /// Reads partners, programs and standings.
    Viewer,
    /// Another system that brings data.
    Integration,
    /// A person at a partner; sees that partner only.
    PartnerContact,
    /// Runs the system; sees its state, not the data of orgs.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Admin,
        Self::PartnerManager,
        Self::Auditor,
        Self::Viewer,
        Self::Integration,
        Self::PartnerContact,
        Self::Operator,
    ];

    /// The role as it stands in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::PartnerManager => "partner_manager",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
            Self::Integration => "integration",
            Self::PartnerContact => "partner_contact",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|role| role.as_str()).collect();
                format!("\"{text}\" is no role; roles are {}", known.join(", "))
            })
    }
}

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

    /// How the caller appears in the metadata of events: `user:…`, or `service:…` for another
    /// system.
    pub fn actor(&self) -> String {
        let kind = if self.roles.contains(&Role::Integration) {
            "service"
        } else {
            "user"
        };
        format!("{kind}:{}", self.subject)
    }

    /// The only partner that the caller may see, if its roles confine it to one. A query must
    /// apply it to whatever it reads.
    pub fn confined_to(&self) -> Option<&PartnerId> {
        if self.roles.iter().all(|role| *role == Role::PartnerContact) {
            self.partner.as_ref()
        } else {
            None
        }
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
        }
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!(
            "root"
                .parse::<Role>()
                .unwrap_err()
                .contains("partner_manager")
        );
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
