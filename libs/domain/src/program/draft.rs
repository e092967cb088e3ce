//! Changes of single parts of a draft: its own fields, its tracks and their tiers.
//!
//! A draft may be incomplete, so nothing here asks whether it could be published: that is for
//! [`validate`](crate::program::validate()) to say. What is named has to be there, and what is
//! added has to be told apart from what is there.

use std::collections::BTreeSet;
use std::fmt::Display;

use jiff::civil::Date;

use crate::ids::{ProgramId, TierId, TrackId, check_label};
use crate::limits;
use crate::money::Currency;
use crate::program::badge::BadgeName;
use crate::program::definition::{
    Benefit, Color, DemotionPolicy, ProgramDefinition, PromotionPolicy, Tier, Track, january,
};
use crate::program::remarks::{Catalogue, Suppression};
use crate::rejection::{Rejection, Violations};
use crate::rules::{FixedRates, Requirement};

/// A change of a part of the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftEdit {
    /// Of fields of the program itself.
    Program(Box<ProgramChanges>),
    /// One more track.
    AddTrack {
        /// The track, with any tiers.
        track: Box<Track>,
        /// Its place, from 0. `None`: the last one.
        position: Option<usize>,
    },
    /// Of fields of a track.
    UpdateTrack {
        /// Which one.
        track: TrackId,
        /// What changes.
        changes: TrackChanges,
    },
    /// A track is taken away, with its tiers.
    RemoveTrack {
        /// Which one.
        track: TrackId,
    },
    /// Another order of the tracks.
    ReorderTracks {
        /// Exactly those that are there.
        tracks: Vec<TrackId>,
    },
    /// The tracks to begin with; only where there are none.
    SeedTracks,
    /// One more tier of a track.
    AddTier {
        /// The track.
        track: TrackId,
        /// The tier.
        tier: Box<Tier>,
        /// Its place, from 0, the highest. `None`: the last one, the entry tier.
        position: Option<usize>,
    },
    /// Of fields of a tier.
    UpdateTier {
        /// The track.
        track: TrackId,
        /// Which tier.
        tier: TierId,
        /// What changes.
        changes: Box<TierChanges>,
    },
    /// A tier is taken away.
    RemoveTier {
        /// The track.
        track: TrackId,
        /// Which tier.
        tier: TierId,
    },
    /// Another order of the tiers, the highest first.
    ReorderTiers {
        /// The track.
        track: TrackId,
        /// Exactly those that are there.
        tiers: Vec<TierId>,
    },
}

/// What changes about a program; `None`: stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramChanges {
    /// What a person reads.
    pub name: Option<String>,
    /// Longer text.
    pub description: Option<String>,
    /// The first day on which a partner can be enrolled.
    pub start_date: Option<Option<Date>>,
    /// The last day on which a partner can be enrolled.
    pub end_date: Option<Option<Date>>,
    /// The currency in which sums of money are measured.
    pub currency: Option<Currency>,
    /// Month in which the year of the program begins, 1 to 12.
    pub program_year_start: Option<i8>,
    /// Exchange rates that the program fixes.
    pub fixed_rates: Option<Vec<FixedRates>>,
    /// The names that are meant, for the linter.
    pub catalogue: Option<Option<Catalogue>>,
    /// Remarks of the linter that are known and wanted so.
    pub lint: Option<Vec<Suppression>>,
}

/// What changes about a track; `None`: stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackChanges {
    /// What a person reads.
    pub name: Option<String>,
    /// How tiers are gained.
    pub promotion: Option<PromotionPolicy>,
    /// How tiers are lost.
    pub demotion: Option<DemotionPolicy>,
}

/// What changes about a tier; `None`: stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TierChanges {
    /// What a person reads.
    pub name: Option<String>,
    /// Colour of the badge.
    pub color: Option<Color>,
    /// Image of the badge.
    pub badge: Option<Option<BadgeName>>,
    /// What it takes to reach the tier.
    pub qualification: Option<Option<Requirement>>,
    /// What it takes to keep the tier.
    pub retention: Option<Option<Requirement>>,
    /// What the tier gives.
    pub benefits: Option<Vec<Benefit>>,
}

/// The draft of a program that has neither a draft nor a version.
pub fn empty_draft(program: &ProgramId, name: &str, currency: Currency) -> ProgramDefinition {
    ProgramDefinition {
        slug: program.to_string(),
        name: name.to_owned(),
        description: String::new(),
        start_date: None,
        end_date: None,
        currency,
        program_year_start: january(),
        fixed_rates: Vec::new(),
        tracks: Vec::new(),
        catalogue: None,
        lint: Vec::new(),
    }
}

impl DraftEdit {
    /// Carries the change out.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on the field that names nothing, or something that is there already;
    /// `PROGRAM_HAS_TRACKS` for tracks to begin with where there are some.
    pub fn apply(self, draft: &mut ProgramDefinition) -> Result<(), Rejection> {
        match self {
            Self::Program(changes) => update_program(draft, *changes),
            Self::AddTrack { track, position } => add_track(draft, *track, position),
            Self::UpdateTrack { track, changes } => {
                update_track(find_track(draft, &track)?, changes)
            }
            Self::RemoveTrack { track } => {
                find_track(draft, &track)?;
                draft.tracks.retain(|one| one.id != track);
                Ok(())
            }
            Self::ReorderTracks { tracks } => {
                reorder("track_ids", &mut draft.tracks, |one| &one.id, &tracks)
            }
            Self::SeedTracks => seed_tracks(draft),
            Self::AddTier {
                track,
                tier,
                position,
            } => add_tier(find_track(draft, &track)?, *tier, position),
            Self::UpdateTier {
                track,
                tier,
                changes,
            } => update_tier(find_tier(draft, &track, &tier)?, *changes),
            Self::RemoveTier { track, tier } => {
                find_tier(draft, &track, &tier)?;
                let track = find_track(draft, &track)?;
                track.tiers.retain(|one| one.id != tier);
                Ok(())
            }
            Self::ReorderTiers { track, tiers } => {
                let track = find_track(draft, &track)?;
                reorder("tier_ids", &mut track.tiers, |one| &one.id, &tiers)
            }
        }
    }
}

/// Puts a new value in place of the old one, where there is a new one.
fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn update_program(draft: &mut ProgramDefinition, changes: ProgramChanges) -> Result<(), Rejection> {
    let mut v = Violations::default();
    if let Some(name) = &changes.name {
        limits::check_name(&mut v, "program.name", name, limits::NAME);
    }
    if let Some(description) = &changes.description {
        limits::check_note(&mut v, "program.description", description);
    }
    let month = changes.program_year_start;
    if month.is_some_and(|month| !(1..=12).contains(&month)) {
        v.add("program.program_year_start", "must be a month from 1 to 12");
    }
    v.check()?;
    set(&mut draft.name, changes.name);
    set(&mut draft.description, changes.description);
    set(&mut draft.start_date, changes.start_date);
    set(&mut draft.end_date, changes.end_date);
    set(&mut draft.currency, changes.currency);
    set(&mut draft.program_year_start, month);
    set(&mut draft.fixed_rates, changes.fixed_rates);
    set(&mut draft.catalogue, changes.catalogue);
    set(&mut draft.lint, changes.lint);
    Ok(())
}

fn add_track(
    draft: &mut ProgramDefinition,
    track: Track,
    position: Option<usize>,
) -> Result<(), Rejection> {
    let mut v = Violations::default();
    v.take("", check_label("track.id", track.id.as_str()));
    limits::check_name(&mut v, "track.name", &track.name, limits::NAME);
    let known = draft.tracks.iter().map(|one| &one.id);
    check_new(&mut v, "track", &track.id, known, limits::TRACKS, position);
    v.check()?;
    let at = position.unwrap_or(draft.tracks.len());
    draft.tracks.insert(at, track);
    Ok(())
}

fn add_tier(track: &mut Track, tier: Tier, position: Option<usize>) -> Result<(), Rejection> {
    let mut v = Violations::default();
    v.take("", check_label("tier.id", tier.id.as_str()));
    limits::check_name(&mut v, "tier.name", &tier.name, limits::NAME);
    let known = track.tiers.iter().map(|one| &one.id);
    check_new(&mut v, "tier", &tier.id, known, limits::TIERS, position);
    v.check()?;
    let at = position.unwrap_or(track.tiers.len());
    track.tiers.insert(at, tier);
    Ok(())
}

/// Whether one more can be put in: another identifier, not too many, at a place that there is.
fn check_new<'a, T: PartialEq + Display + 'a>(
    v: &mut Violations,
    what: &str,
    id: &T,
    known: impl ExactSizeIterator<Item = &'a T>,
    most: usize,
    position: Option<usize>,
) {
    let count = known.len();
    if known.into_iter().any(|known| known == id) {
        let field = format!("{what}.id");
        v.add(field, format!("\"{id}\" is there already"));
    }
    if count >= most {
        v.add(what, format!("would be one too many; at most {most}"));
    }
    if position.is_some_and(|position| position > count) {
        v.add("position", format!("must be from 0 to {count}"));
    }
}

fn update_track(track: &mut Track, changes: TrackChanges) -> Result<(), Rejection> {
    let mut v = Violations::default();
    if let Some(name) = &changes.name {
        limits::check_name(&mut v, "track.name", name, limits::NAME);
    }
    v.check()?;
    set(&mut track.name, changes.name);
    set(&mut track.promotion, changes.promotion);
    set(&mut track.demotion, changes.demotion);
    Ok(())
}

fn update_tier(tier: &mut Tier, changes: TierChanges) -> Result<(), Rejection> {
    let mut v = Violations::default();
    if let Some(name) = &changes.name {
        limits::check_name(&mut v, "tier.name", name, limits::NAME);
    }
    v.check()?;
    set(&mut tier.name, changes.name);
    set(&mut tier.color, changes.color);
    set(&mut tier.badge, changes.badge);
    set(&mut tier.qualification, changes.qualification);
    set(&mut tier.retention, changes.retention);
    set(&mut tier.benefits, changes.benefits);
    Ok(())
}

fn find_track<'a>(
    draft: &'a mut ProgramDefinition,
    id: &TrackId,
) -> Result<&'a mut Track, Rejection> {
    let refusal = unknown("track_id", id, draft.tracks.iter().map(|one| &one.id));
    let found = draft.tracks.iter_mut().find(|one| one.id == *id);
    found.ok_or(refusal)
}

fn find_tier<'a>(
    draft: &'a mut ProgramDefinition,
    track: &TrackId,
    id: &TierId,
) -> Result<&'a mut Tier, Rejection> {
    let track = find_track(draft, track)?;
    let refusal = unknown("tier_id", id, track.tiers.iter().map(|one| &one.id));
    let found = track.tiers.iter_mut().find(|one| one.id == *id);
    found.ok_or(refusal)
}

/// Names what there is in place of what there is not.
fn unknown<'a, T: Display + 'a>(
    field: &str,
    id: &T,
    known: impl Iterator<Item = &'a T>,
) -> Rejection {
    Rejection::invalid(
        field,
        format!("\"{id}\" is not in the draft, which has {}", named(known)),
    )
}

fn named<'a, T: Display + 'a>(ids: impl Iterator<Item = &'a T>) -> String {
    let ids: Vec<String> = ids.map(|id| format!("\"{id}\"")).collect();
    match ids.as_slice() {
        [] => "none".to_owned(),
        ids => ids.join(", "),
    }
}

fn reorder<T, I: Ord + Display>(
    field: &str,
    list: &mut [T],
    id: impl Fn(&T) -> &I,
    order: &[I],
) -> Result<(), Rejection> {
    let wanted: BTreeSet<&I> = order.iter().collect();
    let known: BTreeSet<&I> = list.iter().map(&id).collect();
    if wanted != known || order.len() != list.len() {
        return Err(Rejection::invalid(
            field,
            format!(
                "must name each of these once: {}",
                named(list.iter().map(&id))
            ),
        ));
    }
    list.sort_by_key(|one| order.iter().position(|wanted| wanted == id(one)));
    Ok(())
}

/// One track of five tiers. What they require is for the author to say.
fn seed_tracks(draft: &mut ProgramDefinition) -> Result<(), Rejection> {
    if !draft.tracks.is_empty() {
        return Err(Rejection::precondition(
            "PROGRAM_HAS_TRACKS",
            "the draft has tracks already; remove them first",
        ));
    }
    let tier = |(id, name, color): (&str, &str, Color)| {
        Ok(Tier {
            id: TierId::parse(id)?,
            name: name.to_owned(),
            color,
            badge: None,
            qualification: None,
            retention: None,
            benefits: Vec::new(),
        })
    };
    let tiers = [
        ("platinum", "Platinum", Color::Purple),
        ("gold", "Gold", Color::Amber),
        ("silver", "Silver", Color::Slate),
        ("bronze", "Bronze", Color::Orange),
        ("registered", "Registered", Color::Neutral),
    ];
    draft.tracks.push(Track {
        id: TrackId::parse("partners")?,
        name: "Partners".to_owned(),
        promotion: PromotionPolicy::default(),
        demotion: DemotionPolicy::default(),
        tiers: tiers
            .into_iter()
            .map(tier)
            .collect::<Result<_, Rejection>>()?,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::program::validate::tests::sample;
    use crate::program::{
        Program, ProgramCommand, ProgramEvent, PublishDraft, Publisher, validate,
    };
    use crate::test_support::{Given, given};

    fn created() -> Given<Program> {
        given([ProgramEvent::ProgramCreated {
            program: ProgramId::parse("resale").unwrap(),
            name: "Resale".to_owned(),
        }])
    }

    /// A program with one published version.
    fn published() -> Given<Program> {
        let definition = Box::new(sample());
        let save = ProgramCommand::SaveDraft { definition };
        let publish = ProgramCommand::Publish(PublishDraft {
            effective_date: date(2026, 3, 1),
            note: String::new(),
            transition: crate::program::Transition::Now,
            today: date(2026, 3, 1),
            publisher: Publisher::default(),
            library: crate::benefit::BenefitLibrary::default(),
        });
        created().when(save).accepted().when(publish).accepted()
    }

    fn edit(edit: DraftEdit) -> ProgramCommand {
        ProgramCommand::EditDraft {
            edit: Box::new(edit),
            currency: Currency::EUR,
        }
    }

    fn track(id: &str) -> TrackId {
        TrackId::parse(id).unwrap()
    }

    fn tier(id: &str) -> TierId {
        TierId::parse(id).unwrap()
    }

    fn new_tier(id: &str) -> Box<Tier> {
        Box::new(Tier {
            id: tier(id),
            ..sample().tracks[0].tiers[1].clone()
        })
    }

    fn saved(change: impl FnOnce(&mut ProgramDefinition)) -> [ProgramEvent; 1] {
        let mut definition = Box::new(sample());
        change(&mut definition);
        [ProgramEvent::ProgramDraftSaved { definition }]
    }

    #[test]
    fn the_draft_of_a_new_program_begins_empty() {
        let changes = ProgramChanges {
            description: Some("for resellers".to_owned()),
            ..ProgramChanges::default()
        };
        let program = ProgramId::parse("resale").unwrap();
        let mut definition = Box::new(empty_draft(&program, "Resale", Currency::EUR));
        definition.description = "for resellers".to_owned();
        created()
            .when(edit(DraftEdit::Program(Box::new(changes.clone()))))
            .then([ProgramEvent::ProgramDraftSaved { definition }])
            .when(edit(DraftEdit::Program(Box::new(changes))))
            .nothing();
    }

    #[test]
    fn the_draft_of_a_running_program_begins_as_its_newest_version() {
        let changes = TierChanges {
            color: Some(Color::Amber),
            ..TierChanges::default()
        };
        published()
            .when(edit(DraftEdit::UpdateTier {
                track: track("main"),
                tier: tier("gold"),
                changes: Box::new(changes),
            }))
            .then(saved(|draft| draft.tracks[0].tiers[0].color = Color::Amber));
        let nothing = DraftEdit::Program(Box::default());
        published().when(edit(nothing)).nothing();
    }

    #[test]
    fn tiers_are_put_in_their_place_and_reordered() {
        let add = |id, position| DraftEdit::AddTier {
            track: track("main"),
            tier: new_tier(id),
            position,
        };
        let reorder = |ids: &[&str]| DraftEdit::ReorderTiers {
            track: track("main"),
            tiers: ids.iter().map(|id| tier(id)).collect(),
        };
        let program = published()
            .when(edit(add("silver", Some(1))))
            .accepted()
            .when(edit(add("guest", None)))
            .accepted()
            .when(edit(reorder(&["silver", "gold", "guest", "registered"])))
            .accepted();
        let order = program.state.draft().unwrap().tracks[0].tiers.iter();
        let order: Vec<_> = order.map(|tier| tier.id.as_str()).collect();
        assert_eq!(order, ["silver", "gold", "guest", "registered"]);
        for wrong in [
            &["silver", "gold", "guest"][..],
            &["silver", "gold", "guest", "other"],
            &["silver", "gold", "guest", "registered", "gold"],
        ] {
            let refused = program.clone().when(edit(reorder(wrong)));
            refused.invalid(&["tier_ids"]);
        }
        program
            .clone()
            .when(edit(add("gold", Some(9))))
            .invalid(&["tier.id", "position"]);
    }

    #[test]
    fn what_is_unknown_is_refused_with_what_there_is() {
        let mut draft = sample();
        let refusal = DraftEdit::RemoveTier {
            track: track("main"),
            tier: tier("lead"),
        };
        let refusal = refusal.apply(&mut draft).unwrap_err();
        assert_eq!(refusal.violations[0].field, "tier_id");
        assert_eq!(
            refusal.violations[0].description,
            "\"lead\" is not in the draft, which has \"gold\", \"registered\""
        );
        let remove = |id| DraftEdit::RemoveTrack { track: track(id) };
        let program = published();
        program
            .clone()
            .when(edit(remove("side")))
            .invalid(&["track_id"]);
        program
            .when(edit(remove("main")))
            .then(saved(|draft| draft.tracks.clear()))
            .when(edit(remove("main")))
            .invalid(&["track_id"]);
    }

    #[test]
    fn tracks_are_added_changed_and_reordered() {
        let mut side = sample().tracks[0].clone();
        side.id = track("side");
        let add = DraftEdit::AddTrack {
            track: Box::new(side),
            position: Some(0),
        };
        let rename = DraftEdit::UpdateTrack {
            track: track("side"),
            changes: TrackChanges {
                name: Some("Side".to_owned()),
                ..TrackChanges::default()
            },
        };
        let order = DraftEdit::ReorderTracks {
            tracks: vec![track("main"), track("side")],
        };
        let program = published()
            .when(edit(add.clone()))
            .accepted()
            .when(edit(rename))
            .accepted()
            .when(edit(order))
            .accepted();
        let tracks = &program.state.draft().unwrap().tracks;
        let names: Vec<_> = tracks.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["Main", "Side"]);
        program.when(edit(add)).invalid(&["track.id"]);
    }

    #[test]
    fn tracks_to_begin_with_are_a_draft_that_is_not_yet_complete() {
        let program = created().when(edit(DraftEdit::SeedTracks)).accepted();
        let draft = program.state.draft().unwrap();
        let tiers = &draft.tracks[0].tiers;
        let names: Vec<_> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        assert_eq!(
            names,
            ["Platinum", "Gold", "Silver", "Bronze", "Registered"]
        );
        assert!(validate(draft).is_err());
        program
            .when(edit(DraftEdit::SeedTracks))
            .refused("PROGRAM_HAS_TRACKS");
    }

    #[test]
    fn fields_of_the_program_keep_to_their_limits() {
        let changes = ProgramChanges {
            name: Some(String::new()),
            program_year_start: Some(13),
            ..ProgramChanges::default()
        };
        published()
            .when(edit(DraftEdit::Program(Box::new(changes))))
            .invalid(&["program.name", "program.program_year_start"]);
    }

    #[test]
    fn a_draft_is_thrown_away() {
        let program = published();
        let discard = ProgramCommand::DiscardDraft;
        program
            .clone()
            .when(discard.clone())
            .nothing()
            .when(edit(DraftEdit::RemoveTrack {
                track: track("main"),
            }))
            .accepted()
            .when(discard.clone())
            .then([ProgramEvent::ProgramDraftDiscarded {}])
            .when(discard)
            .nothing();
    }

    #[test]
    fn an_archived_program_or_none_has_no_draft_to_edit() {
        let seed = || edit(DraftEdit::SeedTracks);
        given::<Program>([])
            .when(seed())
            .refused("PROGRAM_NOT_FOUND");
        created()
            .when(ProgramCommand::Archive)
            .accepted()
            .when(seed())
            .refused("PROGRAM_ARCHIVED");
    }
}
