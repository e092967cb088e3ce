//! How a version begins to take tiers away.

use tierline_domain::program::Transition;
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::transition::Kind;

use super::{Reader, common};

/// A transition in a field; absent: from the first day.
pub fn transition(reader: &mut Reader, field: &str, message: Option<pb::Transition>) -> Transition {
    match message.and_then(|message| message.kind) {
        None | Some(Kind::NextReview(false)) => Transition::Now,
        Some(Kind::NextReview(true)) => Transition::NextReview,
        Some(Kind::NoLossUntilDate(text)) => reader
            .at(field, |reader| {
                reader.at("no_loss_until_date", |reader| common::date(reader, &text))
            })
            .map_or(Transition::Now, Transition::NoLossUntil),
    }
}

/// A transition as a message; absent: from the first day.
pub fn transition_message(transition: Transition) -> Option<pb::Transition> {
    let kind = match transition {
        Transition::Now => return None,
        Transition::NextReview => Kind::NextReview(true),
        Transition::NoLossUntil(day) => Kind::NoLossUntilDate(day.to_string()),
    };
    Some(pb::Transition { kind: Some(kind) })
}
