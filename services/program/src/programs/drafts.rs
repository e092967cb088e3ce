//! Requests about parts of a draft, as the edits that they stand for.

use tierline_domain::program::{
    DraftEdit, ProgramChanges, ProgramDefinition, Tier, TierChanges, Track, TrackChanges,
};
use tierline_domain::{Currency, Rejection, TierId, TrackId};
use tierline_proto::program::v1 as pb;
use tierline_rpc::convert::{self, Reader, fields as f};
use tierline_rpc::field_mask::FieldMask;

use super::convert::slug;

/// The program that a request names, and what is to become of its draft. `None`: something is
/// wrong, and the reader knows what.
pub(crate) type Read = (String, Option<DraftEdit>);

const PROGRAM_FIELDS: &[&str] = &[
    "name",
    "description",
    "start_date",
    "end_date",
    "currency_code",
    "program_year_start",
    "fixed_rates",
    "catalogue",
    "lint",
];
const TRACK_FIELDS: &[&str] = &["name", "promotion", "demotion"];
const TIER_FIELDS: &[&str] = &[
    "name",
    "color",
    "badge",
    "qualification",
    "retention",
    "benefits",
];

pub(crate) fn update_program(r: &mut Reader, request: &pb::UpdateProgramRequest) -> Read {
    let program = request.program.clone().unwrap_or_default();
    let mask = FieldMask::new(
        request.update_mask.as_ref(),
        PROGRAM_FIELDS,
        |field| match field {
            "name" => !program.name.is_empty(),
            "description" => !program.description.is_empty(),
            "start_date" => !program.start_date.is_empty(),
            "end_date" => !program.end_date.is_empty(),
            "currency_code" => !program.currency_code.is_empty(),
            "program_year_start" => program.program_year_start.is_some(),
            "fixed_rates" => !program.fixed_rates.is_empty(),
            "catalogue" => program.catalogue.is_some(),
            _ => !program.lint.is_empty(),
        },
    );
    let edit = r.take_below(mask).and_then(|mask| {
        let read = r.at("program", |r| masked_program(r, &mask, program))?;
        Some(DraftEdit::Program(Box::new(program_changes(&mask, read))))
    });
    (request.program_id.clone(), edit)
}

/// Reads the fields that are meant; the others stand as something that can be read.
fn masked_program(
    r: &mut Reader,
    mask: &FieldMask,
    given: pb::ProgramDefinition,
) -> Option<ProgramDefinition> {
    let unread = Currency::USD.as_str().to_owned();
    let wanted = pb::ProgramDefinition {
        name: given.name,
        description: given.description,
        start_date: mask
            .take("start_date", given.start_date)
            .unwrap_or_default(),
        end_date: mask.take("end_date", given.end_date).unwrap_or_default(),
        currency_code: mask
            .take("currency_code", given.currency_code)
            .unwrap_or(unread),
        program_year_start: mask
            .take("program_year_start", given.program_year_start)
            .flatten(),
        fixed_rates: mask
            .take("fixed_rates", given.fixed_rates)
            .unwrap_or_default(),
        catalogue: given.catalogue,
        lint: given.lint,
        ..pb::ProgramDefinition::default()
    };
    convert::read_definition(r, wanted)
}

fn program_changes(mask: &FieldMask, read: ProgramDefinition) -> ProgramChanges {
    ProgramChanges {
        name: mask.take("name", read.name),
        description: mask.take("description", read.description),
        start_date: mask.take("start_date", read.start_date),
        end_date: mask.take("end_date", read.end_date),
        currency: mask.take("currency_code", read.currency),
        program_year_start: mask.take("program_year_start", read.program_year_start),
        fixed_rates: mask.take("fixed_rates", read.fixed_rates),
        catalogue: mask.take("catalogue", read.catalogue),
        lint: mask.take("lint", read.lint),
    }
}

pub(crate) fn add_track(r: &mut Reader, request: &pb::AddTrackRequest) -> Read {
    let mut track = request.track.clone().unwrap_or_default();
    if track.id.is_empty() {
        track.id = slug(&track.name);
    }
    let track = r.at("track", |r| convert::track(r, track));
    let position = request.position.map(place);
    let edit = track.map(|track| DraftEdit::AddTrack {
        track: Box::new(track),
        position,
    });
    (request.program_id.clone(), edit)
}

pub(crate) fn update_track(r: &mut Reader, request: &pb::UpdateTrackRequest) -> Read {
    let given = request.track.clone().unwrap_or_default();
    let mask = FieldMask::new(
        request.update_mask.as_ref(),
        TRACK_FIELDS,
        |field| match field {
            "name" => !given.name.is_empty(),
            "promotion" => given.promotion.is_some(),
            _ => given.demotion.is_some(),
        },
    );
    let track = track_id(r, &request.track_id);
    let edit = r.take_below(mask).and_then(|mask| {
        let wanted = pb::Track {
            id: "track".to_owned(),
            name: given.name,
            promotion: mask.take("promotion", given.promotion).flatten(),
            demotion: mask.take("demotion", given.demotion).flatten(),
            tiers: Vec::new(),
        };
        let read: Track = r.at("track", |r| convert::track(r, wanted))?;
        let changes = TrackChanges {
            name: mask.take("name", read.name),
            promotion: mask.take("promotion", read.promotion),
            demotion: mask.take("demotion", read.demotion),
        };
        Some(DraftEdit::UpdateTrack { track, changes })
    });
    (request.program_id.clone(), edit)
}

pub(crate) fn remove_track(r: &mut Reader, request: &pb::RemoveTrackRequest) -> Read {
    let track = track_id(r, &request.track_id);
    (
        request.program_id.clone(),
        Some(DraftEdit::RemoveTrack { track }),
    )
}

pub(crate) fn reorder_tracks(r: &mut Reader, request: &pb::ReorderTracksRequest) -> Read {
    let tracks = ids(r, "track_ids", &request.track_ids, TrackId::parse);
    let edit = tracks.map(|tracks| DraftEdit::ReorderTracks { tracks });
    (request.program_id.clone(), edit)
}

pub(crate) fn seed_tracks(_: &mut Reader, request: &pb::SeedTracksRequest) -> Read {
    (request.program_id.clone(), Some(DraftEdit::SeedTracks))
}

pub(crate) fn add_tier(r: &mut Reader, request: &pb::AddTierRequest) -> Read {
    let mut tier = request.tier.clone().unwrap_or_default();
    if tier.id.is_empty() {
        tier.id = slug(&tier.name);
    }
    let track = track_id(r, &request.track_id);
    let tier = r.at("tier", |r| convert::tier(r, tier));
    let position = request.position.map(place);
    let edit = tier.map(|tier| DraftEdit::AddTier {
        track,
        tier: Box::new(tier),
        position,
    });
    (request.program_id.clone(), edit)
}

pub(crate) fn update_tier(r: &mut Reader, request: &pb::UpdateTierRequest) -> Read {
    let given = request.tier.clone().unwrap_or_default();
    let mask = FieldMask::new(
        request.update_mask.as_ref(),
        TIER_FIELDS,
        |field| match field {
            "name" => !given.name.is_empty(),
            "color" => given.color != 0,
            "badge" => !given.badge.is_empty(),
            "qualification" => given.qualification.is_some(),
            "retention" => given.retention.is_some(),
            _ => !given.benefits.is_empty(),
        },
    );
    let (track, tier) = (track_id(r, &request.track_id), tier_id(r, &request.tier_id));
    let edit = r.take_below(mask).and_then(|mask| {
        let wanted = pb::Tier {
            id: "tier".to_owned(),
            name: given.name,
            color: mask.take("color", given.color).unwrap_or_default(),
            badge: mask.take("badge", given.badge).unwrap_or_default(),
            qualification: mask.take("qualification", given.qualification).flatten(),
            retention: mask.take("retention", given.retention).flatten(),
            benefits: given.benefits,
        };
        let read: Tier = r.at("tier", |r| convert::tier(r, wanted))?;
        let changes = Box::new(TierChanges {
            name: mask.take("name", read.name),
            color: mask.take("color", read.color),
            badge: mask.take("badge", read.badge),
            qualification: mask.take("qualification", read.qualification),
            retention: mask.take("retention", read.retention),
            benefits: mask.take("benefits", read.benefits),
        });
        Some(DraftEdit::UpdateTier {
            track,
            tier,
            changes,
        })
    });
    (request.program_id.clone(), edit)
}

pub(crate) fn remove_tier(r: &mut Reader, request: &pb::RemoveTierRequest) -> Read {
    let track = track_id(r, &request.track_id);
    let tier = tier_id(r, &request.tier_id);
    (
        request.program_id.clone(),
        Some(DraftEdit::RemoveTier { track, tier }),
    )
}

pub(crate) fn reorder_tiers(r: &mut Reader, request: &pb::ReorderTiersRequest) -> Read {
    let track = track_id(r, &request.track_id);
    let tiers = ids(r, "tier_ids", &request.tier_ids, TierId::parse);
    let edit = tiers.map(|tiers| DraftEdit::ReorderTiers { track, tiers });
    (request.program_id.clone(), edit)
}

fn track_id(r: &mut Reader, text: &str) -> TrackId {
    f::id(r, "track_id", TrackId::parse(text))
}

fn tier_id(r: &mut Reader, text: &str) -> TierId {
    f::id(r, "tier_id", TierId::parse(text))
}

fn ids<T>(
    r: &mut Reader,
    field: &str,
    texts: &[String],
    parse: fn(String) -> Result<T, Rejection>,
) -> Option<Vec<T>> {
    r.list(field, texts.to_vec(), |r, text| r.take(parse(text)))
}

/// A place in a list; one beyond any list stays beyond it.
fn place(position: u32) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
