//! Records of activities between the contract and the domain.

use tierline_domain::activity::{ActivityChanges, ActivityRecord, Record, RecordActivity};
use tierline_domain::rules::FactKind;
use tierline_domain::{PartnerId, RecordId};
use tierline_proto::activity::v1 as pb;
use tierline_rpc::convert::{Reader, common as c, fields as f};
use tierline_rpc::field_mask::FieldMask;

/// The fields of an activity that a correction may name.
const CORRECTABLE: &[&str] = &["title", "held_date", "amount", "quantity", "attributes"];

/// A described activity.
pub(crate) fn row(r: &mut Reader, row: pb::ActivityRow) -> RecordActivity {
    let record = f::id(r, "record_id", RecordId::parse(row.record_id));
    described(r, record, row.partner_id, row.activity)
}

/// A described activity of a partner.
pub(crate) fn described(
    r: &mut Reader,
    record: RecordId,
    partner: String,
    activity: Option<pb::ActivityRecord>,
) -> RecordActivity {
    let partner = f::id(r, "partner_id", PartnerId::parse(partner));
    let activity = activity.unwrap_or_default();
    let activity = r.at("activity", |r| ActivityRecord {
        kind: FactKind::new(activity.kind),
        external_id: c::optional_text(activity.external_id),
        title: activity.title,
        held_date: f::date(r, "held_date", &activity.held_date),
        amount: f::optional_money(r, "amount", activity.amount),
        quantity: f::optional_decimal(r, "quantity", &activity.quantity),
        attributes: f::attributes(r, "attributes", activity.attributes),
    });
    RecordActivity {
        record,
        partner,
        activity,
    }
}

/// The corrections that the mask names, or that are set where there is no mask.
pub(crate) fn changes(r: &mut Reader, request: &pb::AmendRecordRequest) -> ActivityChanges {
    let activity = request.activity.clone().unwrap_or_default();
    let mask = FieldMask::new(
        request.update_mask.as_ref(),
        CORRECTABLE,
        |field| match field {
            "title" => !activity.title.is_empty(),
            "held_date" => !activity.held_date.is_empty(),
            "amount" => activity.amount.is_some(),
            "quantity" => !activity.quantity.is_empty(),
            "attributes" => !activity.attributes.is_empty(),
            _ => false,
        },
    );
    let Some(mask) = r.take_below(mask) else {
        return ActivityChanges::default();
    };
    r.at("activity", |r| {
        let mut changes = ActivityChanges {
            title: mask.take("title", activity.title),
            ..ActivityChanges::default()
        };
        if mask.has("held_date") {
            changes.held_date = Some(f::date(r, "held_date", &activity.held_date));
        }
        if mask.has("amount") {
            changes.amount = Some(f::optional_money(r, "amount", activity.amount));
        }
        if mask.has("quantity") {
            changes.quantity = Some(f::optional_decimal(r, "quantity", &activity.quantity));
        }
        if mask.has("attributes") {
            changes.attributes = Some(f::attributes(r, "attributes", activity.attributes));
        }
        changes
    })
}

/// A record as the contract writes it.
pub(crate) fn message(id: &str, record: &Record, version: u64) -> pb::Record {
    pb::Record {
        record_id: id.to_owned(),
        partner_id: record
            .partner()
            .map(ToString::to_string)
            .unwrap_or_default(),
        activity: record.activity().map(activity_message),
        retracted: record.retracted().is_some(),
        retracted_reason: f::text(record.retracted()),
        etag: tierline_rpc::command::etag(version),
    }
}

fn activity_message(activity: &ActivityRecord) -> pb::ActivityRecord {
    pb::ActivityRecord {
        kind: activity.kind.as_str().to_owned(),
        external_id: f::text(activity.external_id.as_deref()),
        title: activity.title.clone(),
        held_date: activity.held_date.to_string(),
        amount: activity.amount.map(c::money_message),
        quantity: activity
            .quantity
            .map(|quantity| quantity.to_string())
            .unwrap_or_default(),
        attributes: c::attributes_message(&activity.attributes),
    }
}
