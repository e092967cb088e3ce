//! Types of benefits.

use tierline_domain::benefit::BenefitType;
use tierline_proto::program::v1 as pb;

use super::Reader;

/// The type of a benefit as a message.
pub fn benefit_type_message(benefit_type: BenefitType) -> pb::BenefitType {
    match benefit_type {
        BenefitType::YesNo => pb::BenefitType::YesNo,
        BenefitType::Percent => pb::BenefitType::Percent,
        BenefitType::Amount => pb::BenefitType::Amount,
        BenefitType::Days => pb::BenefitType::Days,
        BenefitType::Hours => pb::BenefitType::Hours,
        BenefitType::Text => pb::BenefitType::Text,
    }
}

/// The type of a benefit out of a message.
pub fn benefit_type(reader: &mut Reader, number: i32) -> Option<BenefitType> {
    match pb::BenefitType::try_from(number) {
        Ok(pb::BenefitType::YesNo) => Some(BenefitType::YesNo),
        Ok(pb::BenefitType::Percent) => Some(BenefitType::Percent),
        Ok(pb::BenefitType::Amount) => Some(BenefitType::Amount),
        Ok(pb::BenefitType::Days) => Some(BenefitType::Days),
        Ok(pb::BenefitType::Hours) => Some(BenefitType::Hours),
        Ok(pb::BenefitType::Text) => Some(BenefitType::Text),
        Ok(pb::BenefitType::Unspecified) => reader.wrong("is required"),
        Err(_) => reader.wrong("is none that this release knows"),
    }
}
