//! Two sides of an enrollment on a day, and which criteria make the difference.

use jiff::civil::Date;

use super::{Compared, Deciding, MAX_DECIDING, Movement, Stand};
use crate::ids::TierId;
use crate::program::{ProgramDefinition, Tier, Track};
use crate::rules::{Explanation, FactSource, Node, Outcome, Requirement};
use crate::standing::aggregate::Standing;
use crate::standing::assess::explain;
use crate::standing::subject::Terms;
use crate::time::Calendar;

/// One side: where the enrollment stands, by which rules.
pub(super) struct Side<'a> {
    /// Where it stands.
    pub(super) standing: &'a Standing,
    /// What is in force on that day; absent: nothing is.
    pub(super) definition: Option<&'a ProgramDefinition>,
}

/// What both sides share.
pub(super) struct Ground<'a, F: FactSource + ?Sized> {
    pub(super) terms: &'a Terms,
    pub(super) calendar: &'a Calendar,
    pub(super) facts: &'a F,
    pub(super) on: Date,
}

/// Compares two sides. `None` when the enrollment is open on neither.
pub(super) fn compare<F: FactSource + ?Sized>(
    ground: &Ground<'_, F>,
    before: &Side<'_>,
    after: &Side<'_>,
) -> Option<Compared> {
    let was = before.stand(ground.terms);
    let is = after.stand(ground.terms);
    if was.is_none() && is.is_none() {
        return None;
    }
    let (movement, deciding) = match (&was, &is) {
        (Some(was), Some(is)) => differ(ground, before, after, was, is),
        _ => (Movement::Unchanged, Vec::new()),
    };
    Some(Compared {
        partner: ground.terms.partner.clone(),
        enrollment: ground.terms.enrollment.clone(),
        track: ground.terms.track.clone(),
        on: ground.on,
        before: was,
        after: is,
        movement,
        deciding,
    })
}

fn differ<F: FactSource + ?Sized>(
    ground: &Ground<'_, F>,
    before: &Side<'_>,
    after: &Side<'_>,
    was: &Stand,
    is: &Stand,
) -> (Movement, Vec<Deciding>) {
    // What keeps the tier out, or loses it, is what the side with less asks for.
    let gained = |tier: &TierId| before.wanting(ground, tier, |tier| tier.qualification.as_ref());
    let lost = |tier: &TierId| after.wanting(ground, tier, Tier::keeps);
    if was.tier != is.tier {
        return match rises(before, after, ground.terms, was, is) {
            true => (Movement::Promoted, gained(&is.tier)),
            false => (Movement::Demoted, lost(&was.tier)),
        };
    }
    if was.recommended != is.recommended
        && let Some(to) = &is.recommended
    {
        let track = after.track(ground.terms);
        let rank = |tier| track.and_then(|track| track.rank(tier));
        return match rank(to) < rank(&is.tier) {
            true => (Movement::PromotionRecommended, gained(to)),
            false => (Movement::DemotionRecommended, lost(&is.tier)),
        };
    }
    match (was.at_risk_until, is.at_risk_until) {
        (None, Some(_)) => (Movement::PutAtRisk, lost(&is.tier)),
        (Some(_), None) => {
            let wanting = before.wanting(ground, &is.tier, Tier::keeps);
            (Movement::NoLongerAtRisk, wanting)
        }
        _ => (Movement::Unchanged, Vec::new()),
    }
}

/// True when the tier on the other side is the higher one: on the ladder that has both of them, or
/// else by their places on their own ladders.
fn rises(before: &Side<'_>, after: &Side<'_>, terms: &Terms, was: &Stand, is: &Stand) -> bool {
    for side in [after, before] {
        let rank = |tier| side.track(terms).and_then(|track| track.rank(tier));
        if let (Some(was), Some(is)) = (rank(&was.tier), rank(&is.tier)) {
            return is < was;
        }
    }
    let rank = |side: &Side<'_>, tier: &TierId| {
        let track = side.track(terms);
        track
            .and_then(|track| track.rank(tier))
            .unwrap_or(usize::MAX)
    };
    rank(after, &is.tier) <= rank(before, &was.tier)
}

impl Side<'_> {
    fn track(&self, terms: &Terms) -> Option<&Track> {
        self.definition?.track(&terms.track)
    }

    fn stand(&self, terms: &Terms) -> Option<Stand> {
        let tier = self.standing.tier.as_ref()?;
        if self.standing.closed.is_some() {
            return None;
        }
        let known = self.track(terms).and_then(|track| {
            let rank = track.rank(tier)?;
            track.tiers.get(rank)
        });
        let process = self.standing.process.as_ref();
        Some(Stand {
            tier: tier.clone(),
            rank: self.track(terms).and_then(|track| track.rank(tier)),
            name: known.map_or_else(|| tier.to_string(), |tier| tier.name.clone()),
            at_risk_until: process.map(|process| process.remediation_ends),
            recommended: self
                .standing
                .recommended
                .as_ref()
                .map(|open| open.to.clone()),
        })
    }

    /// The criteria that are not met of what a tier asks for on this side.
    fn wanting<F: FactSource + ?Sized>(
        &self,
        ground: &Ground<'_, F>,
        tier: &TierId,
        asks: impl for<'t> Fn(&'t Tier) -> Option<&'t Requirement>,
    ) -> Vec<Deciding> {
        let (Some(definition), Some(track)) = (self.definition, self.track(ground.terms)) else {
            return Vec::new();
        };
        let known = track.rank(tier).and_then(|rank| track.tiers.get(rank));
        let Some(requirement) = known.and_then(asks) else {
            return Vec::new();
        };
        let tree = explain(
            requirement,
            self.standing,
            ground.terms,
            definition,
            ground.calendar,
            ground.facts,
            ground.on,
        );
        let mut found = Vec::new();
        unmet(&tree, &mut found);
        // Stable: of equally far ones the first.
        found.sort_by_key(|leaf| leaf.percent.unwrap_or_default());
        let mut deciding: Vec<Deciding> = Vec::new();
        for leaf in found {
            let id = leaf.id.clone().unwrap_or_default();
            if deciding.len() < MAX_DECIDING && deciding.iter().all(|known| known.id != id) {
                deciding.push(Deciding {
                    id,
                    name: leaf.name.clone().unwrap_or_default(),
                    measured: leaf.measured_text(),
                    required: leaf.required_text(),
                    gap: leaf.gap_text(),
                });
            }
        }
        deciding
    }
}

/// The leaves that keep a requirement from being met: nothing below a part that is met or does not
/// apply.
fn unmet<'e>(node: &'e Explanation, found: &mut Vec<&'e Explanation>) {
    if matches!(node.outcome, Outcome::Met | Outcome::NotApplicable) {
        return;
    }
    if matches!(node.kind, Node::Criterion | Node::Partner) {
        found.push(node);
    }
    for child in &node.children {
        match node.kind {
            // What must not hold is wanting where it does.
            Node::Not => leaves(child, found),
            _ => unmet(child, found),
        }
    }
}

fn leaves<'e>(node: &'e Explanation, found: &mut Vec<&'e Explanation>) {
    if matches!(node.kind, Node::Criterion | Node::Partner) {
        found.push(node);
    }
    for child in &node.children {
        leaves(child, found);
    }
}
