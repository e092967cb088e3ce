//! Identifiers. All are short text labels that are safe in resource names, SQL and URLs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rejection::Rejection;

/// Longest identifier, in bytes.
pub const MAX_ID_LENGTH: usize = 64;

/// Checks the form of an identifier: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`,
/// beginning and ending with a letter or digit.
pub fn check_label(field: &str, text: &str) -> Result<(), Rejection> {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(b);
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if bytes.len() <= MAX_ID_LENGTH
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(inner)
    {
        return Ok(());
    }
    Err(Rejection::invalid(
        field,
        format!(
            "must be 1 to {MAX_ID_LENGTH} characters of a-z, 0-9, '-', '_' and '.', beginning and \
             ending with a letter or digit"
        ),
    ))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[derive(Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the form and takes the text as identifier.
            ///
            /// # Errors
            /// `INVALID_REQUEST` naming the field when the form is wrong.
            pub fn parse(text: impl Into<String>) -> Result<Self, Rejection> {
                let text = text.into();
                check_label($field, &text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// An organisation: the vendor that runs partner programs; the unit of tenancy.
    OrgId, "org_id"
);
id!(
    /// A partner of an org.
    PartnerId, "partner_id"
);
id!(
    /// A partner program of an org.
    ProgramId, "program_id"
);
id!(
    /// A track of a program.
    TrackId, "track_id"
);
id!(
    /// A tier of a track.
    TierId, "tier_id"
);
id!(
    /// A partner's enrollment in a track of a program.
    EnrollmentId, "enrollment_id"
);
id!(
    /// A deal.
    DealId, "deal_id"
);
id!(
    /// A certification held by a person at a partner.
    CertificationId, "certification_id"
);
id!(
    /// An API key of an org.
    ApiKeyId, "key_id"
);
id!(
    /// A record of another activity: a reference, a review, a campaign.
    RecordId, "record_id"
);
id!(
    /// A form through which companies apply.
    FormId, "form_id"
);
id!(
    /// A segment of an org's partners.
    SegmentId, "segment_id"
);
id!(
    /// A benefit of an org's library.
    BenefitId, "benefit_id"
);
id!(
    /// What was submitted through a form.
    SubmissionId, "submission_id"
);

/// The name of an event stream: the org alone, or the org and the id of the thing in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(String);

impl StreamId {
    /// The stream of a thing in an org.
    pub fn new(org: &OrgId, id: impl AsRef<str>) -> Self {
        Self(format!("{org}/{}", id.as_ref()))
    }

    /// The stream of the org itself.
    pub fn of_org(org: &OrgId) -> Self {
        Self(org.as_str().to_owned())
    }

    /// The stream name as text, which is the `aggregate_id` of its events.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The org part.
    pub fn org(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The part after the org, or the org itself for its own stream.
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, id)| id)
    }
}

impl From<String> for StreamId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
