//! Measures out of their messages: those that look beyond one partner.

use tierline_domain::rules::{Across, Company, Line, Measure, Rank, RankForm, TiersHeld};
use tierline_proto::program::v1 as pb;

use super::Reader;
use super::composed::boxed;
use super::condition::condition;
use super::requirement::duration;

pub(super) fn tiers_held(reader: &mut Reader, message: pb::TiersHeld) -> Option<Measure> {
    let by = match message.by.is_empty() {
        true => Some(vec![Company::Itself]),
        false => reader.list("by", message.by, company),
    };
    let filter = reader.optional("filter", message.filter, condition);
    let held_for = reader.optional("held_for", message.held_for, duration);
    Some(Measure::TiersHeld(TiersHeld {
        by: by?,
        program: message.program,
        track: message.track,
        tiers: message.tiers,
        filter: filter?.unwrap_or_default(),
        held_for: held_for?,
    }))
}

pub(super) fn across(reader: &mut Reader, message: pb::Across) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let with = reader.list("with", message.with, company);
    Some(Measure::Across(Across {
        id: message.id,
        of: of?,
        with: with?,
    }))
}

pub(super) fn rank(reader: &mut Reader, message: pb::Rank) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let form = reader.at("form", |r| match pb::RankForm::try_from(message.form) {
        Ok(pb::RankForm::Unspecified | pb::RankForm::Place) => Some(RankForm::Place),
        Ok(pb::RankForm::Percent) => Some(RankForm::Percent),
        Err(_) => r.wrong("is no known form"),
    });
    Some(Measure::Rank(Rank {
        id: message.id,
        of: of?,
        per: message.per,
        form: form?,
    }))
}

pub(super) fn line(reader: &mut Reader, message: pb::Line) -> Option<Measure> {
    let by = boxed(reader, "by", message.by)?;
    Some(Measure::Line(Line {
        id: message.id,
        by,
        per: message.per,
    }))
}

fn company(reader: &mut Reader, number: i32) -> Option<Company> {
    match pb::Company::try_from(number) {
        Ok(pb::Company::Itself) => Some(Company::Itself),
        Ok(pb::Company::Parent) => Some(Company::Parent),
        Ok(pb::Company::Child) => Some(Company::Child),
        Ok(pb::Company::Sibling) => Some(Company::Sibling),
        Ok(pb::Company::Group) => Some(Company::Group),
        Ok(pb::Company::Unspecified) | Err(_) => {
            reader.wrong("must be itself, parent, child, sibling or group")
        }
    }
}
