//! The benefits that an org can begin with. They are a proposal: once made they belong to the org,
//! which changes or archives them as it likes.

use crate::benefit::commands::CreateBenefit;
use crate::benefit::content::BenefitContent;
use crate::benefit::value::BenefitType;
use crate::ids::BenefitId;
use crate::rejection::Rejection;

/// The default benefits, in the order in which they are shown.
///
/// # Errors
/// Never, as a test proves: every identifier here is well formed.
pub fn default_benefits() -> Result<Vec<CreateBenefit>, Rejection> {
    [
        (
            "deal-protection",
            "Deal protection",
            "How long a registered deal is protected.",
            BenefitType::Days,
        ),
        (
            "response-time",
            "Response time",
            "How soon support answers.",
            BenefitType::Hours,
        ),
        (
            "training-access",
            "Training access",
            "Courses and exams are free of charge.",
            BenefitType::YesNo,
        ),
        (
            "discount",
            "Discount",
            "Taken off the list price.",
            BenefitType::Percent,
        ),
        (
            "rebate",
            "Rebate",
            "Paid back on revenue.",
            BenefitType::Percent,
        ),
        (
            "mdf",
            "Market development funds",
            "Paid for marketing in a year.",
            BenefitType::Amount,
        ),
        (
            "partner-manager",
            "Partner manager",
            "Who looks after the partner, such as a shared or a dedicated manager.",
            BenefitType::Text,
        ),
    ]
    .into_iter()
    .map(|(id, name, description, benefit_type)| {
        Ok(CreateBenefit {
            benefit: BenefitId::parse(id)?,
            content: BenefitContent {
                name: name.to_owned(),
                description: description.to_owned(),
                benefit_type,
            },
        })
    })
    .collect()
}
