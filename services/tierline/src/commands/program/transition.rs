//! From when on tiers may be lost under a version, as it is said on the command line.

use jiff::civil::Date;
use tierline_proto::program::v1::{self as pb, transition::Kind};

/// From when on tiers may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// From the first day of the version.
    Now,
    /// From the next review of each track.
    NextReview,
    /// From a day.
    Day(Date),
}

impl std::str::FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "now" => Ok(Self::Now),
            "next-review" => Ok(Self::NextReview),
            day => day
                .parse()
                .map(Self::Day)
                .map_err(|_| "must be now, next-review or a date such as 2027-01-01".to_owned()),
        }
    }
}

impl From {
    /// As the contract says it.
    pub fn message(self) -> Option<pb::Transition> {
        let kind = match self {
            Self::Now => return None,
            Self::NextReview => Kind::NextReview(true),
            Self::Day(day) => Kind::NoLossUntilDate(day.to_string()),
        };
        Some(pb::Transition { kind: Some(kind) })
    }
}
