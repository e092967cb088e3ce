//! What was observed under other rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::TrackId;
use crate::program::{ProgramDefinition, Track};
use crate::rules::{Beyond, BeyondState};
use crate::surroundings::needs::Needs;

/// The names that mean something else under a draft than under the rules by which places and
/// numbers were observed. What was observed under them says nothing about the draft.
#[derive(Debug, Default)]
pub(crate) struct Otherwise(BTreeMap<TrackId, Names>);

#[derive(Debug, Default)]
struct Names {
    across: BTreeSet<String>,
    ranks: BTreeSet<String>,
    lines: BTreeSet<String>,
}

impl Otherwise {
    /// What a draft means otherwise than the rules that were published.
    pub(crate) fn of(published: &ProgramDefinition, draft: &ProgramDefinition) -> Self {
        let tracks = draft.tracks.iter().filter_map(|after| {
            let before = published.track(&after.id)?;
            Some((after.id.clone(), Names::of(before, after)))
        });
        Self(tracks.collect())
    }

    /// Forgets what says nothing about the draft.
    pub(crate) fn forget_in(&self, track: &TrackId, state: &mut BeyondState) {
        let Some(names) = self.0.get(track) else {
            return;
        };
        state.ranking.retain(|id, _| !names.ranks.contains(id));
        state.line.retain(|id, _| !names.lines.contains(id));
        for company in state.related.iter_mut().flatten() {
            company.numbers.retain(|id, _| !names.across.contains(id));
        }
    }

    /// What was observed, as far as it says anything about the draft.
    pub(crate) fn seen(&self, track: &TrackId, beyond: &Beyond) -> Beyond {
        let mut beyond = beyond.clone();
        for state in &mut beyond.states {
            self.forget_in(track, state);
        }
        beyond
    }
}

impl Names {
    fn of(before: &Track, after: &Track) -> Self {
        let (was, is) = (Needs::of(before), Needs::of(after));
        let across = is.across.iter().filter(|one| {
            let same = |known: &&crate::rules::model::Across| known.id == one.id;
            was.across.iter().find(same).map(|known| &known.of) != Some(&one.of)
        });
        let ranks = is.ranks.iter().filter(|one| {
            let same = |known: &&crate::rules::model::Rank| known.id == one.id;
            let known = was.ranks.iter().find(same);
            known.map(|known| (&known.of, &known.per)) != Some((&one.of, &one.per))
        });
        // Who is in line follows from everything that the tier asks for.
        let lines = is.lines.iter().filter(|(tier, one)| {
            let known = was.lines.iter().find(|(_, known)| known.id == one.id);
            let tiers = known.and_then(|(tier, _)| before.tiers.get(*tier));
            let asks = after.tiers.get(*tier);
            tiers.map(|tier| (&tier.qualification, &tier.retention))
                != asks.map(|tier| (&tier.qualification, &tier.retention))
        });
        Self {
            across: across.map(|one| one.id.clone()).collect(),
            ranks: ranks.map(|one| one.id.clone()).collect(),
            lines: lines.map(|(_, one)| one.id.clone()).collect(),
        }
    }
}
