//! What a caller is allowed to be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a caller is allowed to be. Written into tokens and into the facts about API keys: a name
/// once used keeps its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
                format!("is no role; roles are {}", known.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(role));
            let stored = serde_json::to_value(role).unwrap();
            assert_eq!(stored, serde_json::json!(role.as_str()));
        }
        let refusal = "root".parse::<Role>().unwrap_err();
        assert!(refusal.contains("partner_manager"), "{refusal}");
    }
}
