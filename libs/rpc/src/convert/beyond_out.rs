//! Measures as their messages: those that look beyond one partner.

use tierline_domain::rules::{Across, Company, Condition, Line, Rank, RankForm, TiersHeld};
use tierline_proto::program::v1 as pb;

use super::composed_out::boxed;
use super::condition_out::condition;
use super::requirement_out::duration;

pub(super) fn tiers_held(wanted: &TiersHeld) -> pb::TiersHeld {
    let filter = Some(&wanted.filter).filter(|filter| **filter != Condition::default());
    pb::TiersHeld {
        by: companies(&wanted.by),
        program: wanted.program.clone(),
        track: wanted.track.clone(),
        tiers: wanted.tiers.clone(),
        filter: filter.map(condition),
        held_for: wanted.held_for.map(duration),
    }
}

pub(super) fn across(across: &Across) -> pb::Across {
    pb::Across {
        id: across.id.clone(),
        of: boxed(&across.of),
        with: companies(&across.with),
    }
}

pub(super) fn rank(rank: &Rank) -> pb::Rank {
    let form = match rank.form {
        RankForm::Place => pb::RankForm::Place,
        RankForm::Percent => pb::RankForm::Percent,
    };
    pb::Rank {
        id: rank.id.clone(),
        of: boxed(&rank.of),
        per: rank.per.clone(),
        form: form.into(),
    }
}

pub(super) fn line(line: &Line) -> pb::Line {
    pb::Line {
        id: line.id.clone(),
        by: boxed(&line.by),
        per: line.per.clone(),
    }
}

fn companies(companies: &[Company]) -> Vec<i32> {
    let one = |company: &Company| match company {
        Company::Itself => pb::Company::Itself,
        Company::Parent => pb::Company::Parent,
        Company::Child => pb::Company::Child,
        Company::Sibling => pb::Company::Sibling,
        Company::Group => pb::Company::Group,
    };
    companies
        .iter()
        .map(|company| one(company).into())
        .collect()
}
