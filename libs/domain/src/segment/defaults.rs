//! The segments that an org can begin with. They are a proposal: once made they belong to the org,
//! which changes or archives them as it likes.

use crate::ids::SegmentId;
use crate::partner::profile::PartnerType;
use crate::rejection::Rejection;
use crate::rules::{Condition, Test, Value};
use crate::segment::commands::CreateSegment;
use crate::segment::content::{SegmentContent, SegmentFamily};

/// From how many employees on a reseller counts as an enterprise.
const ENTERPRISE: u32 = 1_000;
/// From how many employees on a reseller counts to the mid-market.
const MID_MARKET: u32 = 100;

/// The default segments, in the order in which they are shown.
///
/// # Errors
/// Never, as a test proves: every identifier here is well formed.
pub fn default_segments() -> Result<Vec<CreateSegment>, Rejection> {
    use SegmentFamily::{Market, Services, Technology};
    [
        (
            "enterprise-resellers",
            "Enterprise resellers",
            "Resellers and channel partners with 1,000 employees or more.",
            Market,
            all([resells(), employees(Some(ENTERPRISE), None)]),
        ),
        (
            "mid-market-resellers",
            "Mid-market resellers",
            "Resellers and channel partners with 100 to 999 employees.",
            Market,
            all([resells(), employees(Some(MID_MARKET), Some(ENTERPRISE - 1))]),
        ),
        (
            "public-sector",
            "Public sector",
            "Partners at home in government, education and defense.",
            Market,
            one_of(
                "industry",
                &["public sector", "government", "education", "defense"],
            ),
        ),
        (
            "isv",
            "ISV",
            "Technology partners that build software.",
            Technology,
            all([builds(), described(&["isv", "software vendor", "software"])]),
        ),
        (
            "infrastructure",
            "Infrastructure",
            "Technology partners for hardware, networks, storage and cloud platforms.",
            Technology,
            all([
                builds(),
                described(&["infrastructure", "hardware", "network", "storage", "cloud"]),
            ]),
        ),
        (
            "data-and-ai",
            "Data and AI",
            "Technology partners for data, analytics and artificial intelligence.",
            Technology,
            all([
                builds(),
                described(&["data and ai", "data", "analytics", "ai"]),
            ]),
        ),
        (
            "system-integrators",
            "System integrators",
            "Partners that put systems together for their customers.",
            Services,
            described(&["system integrator", "systems integrator", "si"]),
        ),
        (
            "managed-services",
            "Managed services",
            "Partners that run systems for their customers.",
            Services,
            described(&["managed services", "managed service provider", "msp"]),
        ),
        (
            "consulting",
            "Consulting",
            "Partners that advise their customers.",
            Services,
            described(&["consulting", "consultancy", "advisory"]),
        ),
    ]
    .into_iter()
    .map(|(id, name, description, family, filter)| {
        Ok(CreateSegment {
            others: 0,
            segment: SegmentId::parse(id)?,
            content: SegmentContent {
                name: name.to_owned(),
                description: description.to_owned(),
                family,
                filter,
            },
        })
    })
    .collect()
}

fn all(parts: impl Into<Vec<Condition>>) -> Condition {
    Condition::All(parts.into())
}

fn field(name: &str, test: Test) -> Condition {
    Condition::Field {
        name: name.to_owned(),
        test,
    }
}

fn one_of(name: &str, words: &[&str]) -> Condition {
    let words = words.iter().copied().map(Value::text).collect();
    field(name, Test::IncludesAny(words))
}

/// The org's own words for a partner: its subtype, its category or a tag.
fn described(words: &[&str]) -> Condition {
    Condition::Any(
        ["subtype", "category", "tags"]
            .map(|name| one_of(name, words))
            .into(),
    )
}

fn resells() -> Condition {
    let types = [PartnerType::Reseller, PartnerType::Channel];
    one_of("type", &types.map(PartnerType::as_str))
}

fn builds() -> Condition {
    let kind = Value::text(PartnerType::Technology.as_str());
    field("type", Test::Equals(kind))
}

fn employees(from: Option<u32>, to: Option<u32>) -> Condition {
    let number = |bound: u32| Value::Number(bound.into());
    field(
        "employee_count",
        Test::Between {
            from: from.map(number),
            to: to.map(number),
        },
    )
}
