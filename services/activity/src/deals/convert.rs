//! Deals between the contract and the domain.

use jiff::civil::Date;
use tierline_domain::activity::{
    Customer, Deal, DealChanges, DealRecord, DealSource, DealState, RecordDeal, RegisterDeal,
};
use tierline_domain::partner::PartnerStatus;
use tierline_domain::{DealId, PartnerId};
use tierline_proto::activity::v1 as pb;
use tierline_rpc::convert::{Reader, common as c, fields as f};
use tierline_rpc::field_mask::FieldMask;

/// The fields of a record that a correction may name.
const CORRECTABLE: &[&str] = &[
    "name",
    "customer",
    "amount",
    "product_lines",
    "region",
    "source",
    "registered_date",
    "expected_close_date",
    "closed_date",
    "attributes",
];

/// A described deal.
pub(crate) fn row(r: &mut Reader, row: pb::DealRow) -> RecordDeal {
    let deal = f::id(r, "deal_id", DealId::parse(row.deal_id));
    let partner = f::id(r, "partner_id", PartnerId::parse(row.partner_id));
    let described = row.record.unwrap_or_default();
    RecordDeal {
        deal,
        partner,
        record: r.at("record", |r| record(r, described)),
    }
}

fn record(r: &mut Reader, record: pb::DealRecord) -> DealRecord {
    let reversed = f::optional_decimal(r, "reversed_amount", &record.reversed_amount);
    // Where the state is wrong, the dates are not to be blamed for it.
    let instead = match record.closed_date.is_empty() {
        true => DealState::Registered,
        false => DealState::Won,
    };
    let state = r.at("state", |r| state(r, record.state)).unwrap_or(instead);
    DealRecord {
        external_id: c::optional_text(record.external_id),
        name: record.name,
        state,
        customer: record.customer.map(customer),
        amount: f::optional_money(r, "amount", record.amount),
        reversed_amount: reversed.unwrap_or_default(),
        product_lines: record.product_lines,
        region: c::optional_text(record.region),
        source: r.at("source", |r| source(r, record.source)),
        registered_date: f::optional_date(r, "registered_date", &record.registered_date),
        approved_date: f::optional_date(r, "approved_date", &record.approved_date),
        expected_close_date: f::optional_date(
            r,
            "expected_close_date",
            &record.expected_close_date,
        ),
        closed_date: f::optional_date(r, "closed_date", &record.closed_date),
        reason: record.reason,
        attributes: f::attributes(r, "attributes", record.attributes),
    }
}

/// A registration, of today where it does not say. The status of the partner is looked up later.
pub(crate) fn register(
    r: &mut Reader,
    request: &pb::RegisterDealRequest,
    deal: DealId,
    today: Date,
) -> RegisterDeal {
    let request = request.clone();
    let registered = f::optional_date(r, "registered_date", &request.registered_date);
    let expected = f::optional_date(r, "expected_close_date", &request.expected_close_date);
    RegisterDeal {
        deal,
        partner: f::id(r, "partner_id", PartnerId::parse(request.partner_id)),
        partner_status: PartnerStatus::Active,
        external_id: c::optional_text(request.external_id),
        name: request.name,
        customer: request.customer.map(customer),
        amount: f::optional_money(r, "amount", request.amount),
        product_lines: request.product_lines,
        region: c::optional_text(request.region),
        source: r.at("source", |r| source(r, request.source)),
        registered_date: registered.unwrap_or(today),
        expected_close_date: expected,
        attributes: f::attributes(r, "attributes", request.attributes),
    }
}

/// The corrections that the mask names, or that are set where there is no mask.
pub(crate) fn changes(r: &mut Reader, request: &pb::AmendDealRequest) -> DealChanges {
    let record = request.record.clone().unwrap_or_default();
    let mask = FieldMask::new(request.update_mask.as_ref(), CORRECTABLE, |field| {
        is_set(&record, field)
    });
    let Some(mask) = r.take_below(mask) else {
        return DealChanges::default();
    };
    r.at("record", |r| masked(r, &mask, record))
}

fn masked(r: &mut Reader, mask: &FieldMask, record: pb::DealRecord) -> DealChanges {
    let mut changes = DealChanges {
        name: mask.take("name", record.name),
        customer: mask.take("customer", record.customer.map(customer)),
        product_lines: mask.take("product_lines", record.product_lines),
        region: mask.take("region", c::optional_text(record.region)),
        ..DealChanges::default()
    };
    if mask.has("amount") {
        changes.amount = Some(f::optional_money(r, "amount", record.amount));
    }
    if mask.has("source") {
        changes.source = Some(r.at("source", |r| source(r, record.source)));
    }
    if mask.has("registered_date") {
        let date = f::optional_date(r, "registered_date", &record.registered_date);
        changes.registered_date = Some(date);
    }
    if mask.has("expected_close_date") {
        let date = f::optional_date(r, "expected_close_date", &record.expected_close_date);
        changes.expected_close_date = Some(date);
    }
    if mask.has("closed_date") {
        changes.closed_date = Some(f::date(r, "closed_date", &record.closed_date));
    }
    if mask.has("attributes") {
        changes.attributes = Some(f::attributes(r, "attributes", record.attributes));
    }
    changes
}

fn is_set(record: &pb::DealRecord, field: &str) -> bool {
    match field {
        "name" => !record.name.is_empty(),
        "customer" => record.customer.is_some(),
        "amount" => record.amount.is_some(),
        "product_lines" => !record.product_lines.is_empty(),
        "region" => !record.region.is_empty(),
        "source" => record.source != 0,
        "registered_date" => !record.registered_date.is_empty(),
        "expected_close_date" => !record.expected_close_date.is_empty(),
        "closed_date" => !record.closed_date.is_empty(),
        "attributes" => !record.attributes.is_empty(),
        _ => false,
    }
}

fn customer(customer: pb::Customer) -> Customer {
    Customer {
        name: customer.name,
        domain: c::optional_text(customer.domain),
    }
}

fn state(r: &mut Reader, number: i32) -> Option<DealState> {
    use pb::DealState as P;
    Some(match P::try_from(number) {
        Ok(P::Registered) => DealState::Registered,
        Ok(P::Approved) => DealState::Approved,
        Ok(P::Rejected) => DealState::Rejected,
        Ok(P::Withdrawn) => DealState::Withdrawn,
        Ok(P::Won) => DealState::Won,
        Ok(P::Lost) => DealState::Lost,
        Ok(P::Reversed) => DealState::Reversed,
        Ok(P::Unspecified) | Err(_) => return r.wrong("must be one of the states of a deal"),
    })
}

fn state_message(state: DealState) -> pb::DealState {
    match state {
        DealState::Registered => pb::DealState::Registered,
        DealState::Approved => pb::DealState::Approved,
        DealState::Rejected => pb::DealState::Rejected,
        DealState::Withdrawn => pb::DealState::Withdrawn,
        DealState::Won => pb::DealState::Won,
        DealState::Lost => pb::DealState::Lost,
        DealState::Reversed => pb::DealState::Reversed,
    }
}

fn source(r: &mut Reader, number: i32) -> Option<DealSource> {
    match pb::DealSource::try_from(number) {
        Ok(pb::DealSource::Unspecified) => None,
        Ok(pb::DealSource::PartnerSourced) => Some(DealSource::PartnerSourced),
        Ok(pb::DealSource::Influenced) => Some(DealSource::Influenced),
        Err(_) => r.wrong("must be partner sourced, influenced or unspecified"),
    }
}

fn source_message(source: Option<DealSource>) -> pb::DealSource {
    match source {
        None => pb::DealSource::Unspecified,
        Some(DealSource::PartnerSourced) => pb::DealSource::PartnerSourced,
        Some(DealSource::Influenced) => pb::DealSource::Influenced,
    }
}

/// A deal as the contract writes it.
pub(crate) fn message(id: &str, deal: &Deal, version: u64) -> pb::Deal {
    pb::Deal {
        deal_id: id.to_owned(),
        partner_id: deal.partner().map(ToString::to_string).unwrap_or_default(),
        record: deal.record().map(record_message),
        etag: tierline_rpc::command::etag(version),
    }
}

fn record_message(record: &DealRecord) -> pb::DealRecord {
    let reversed = record.reversed_amount;
    pb::DealRecord {
        external_id: f::text(record.external_id.as_deref()),
        name: record.name.clone(),
        state: state_message(record.state).into(),
        customer: record.customer.as_ref().map(|customer| pb::Customer {
            name: customer.name.clone(),
            domain: f::text(customer.domain.as_deref()),
        }),
        amount: record.amount.map(c::money_message),
        reversed_amount: if reversed.is_zero() {
            String::new()
        } else {
            reversed.to_string()
        },
        product_lines: record.product_lines.clone(),
        region: f::text(record.region.as_deref()),
        source: source_message(record.source).into(),
        registered_date: c::date_text(record.registered_date),
        approved_date: c::date_text(record.approved_date),
        expected_close_date: c::date_text(record.expected_close_date),
        closed_date: c::date_text(record.closed_date),
        reason: record.reason.clone(),
        attributes: c::attributes_message(&record.attributes),
    }
}
