//! What a deal must satisfy as a whole, however it came to be. Gives it back in its normal form.

use rust_decimal::Decimal;

use crate::activity::deal::record::{Customer, DealRecord, DealState};
use crate::limits;
use crate::money::{Currency, Money};
use crate::partner::normalize_domain;
use crate::rejection::Violations;
use crate::time::check_date;

/// Names of the built-in fields of a deal's fact; the org's own attributes cannot take them.
pub const RESERVED_FIELDS: &[&str] = &[
    "state",
    "amount",
    "currency",
    "quantity",
    "reversed_amount",
    "name",
    "customer",
    "customer_domain",
    "source",
    "region",
    "product_lines",
    "external_id",
    "registered_date",
    "approved_date",
    "expected_close_date",
    "closed_date",
];

/// Checks a deal as a whole and normalizes what can be written in several ways. Notes violations
/// under `prefix`.
pub(crate) fn checked_record(
    v: &mut Violations,
    prefix: &str,
    mut record: DealRecord,
) -> DealRecord {
    let path = |field: &str| match prefix {
        "" => field.to_owned(),
        _ => format!("{prefix}.{field}"),
    };
    limits::check_name(v, &path("name"), &record.name, limits::NAME);
    let external = record.external_id.as_deref();
    limits::check_optional_name(v, &path("external_id"), external, limits::EXTERNAL_ID);
    limits::check_optional_name(v, &path("region"), record.region.as_deref(), limits::NAME);
    limits::check_note(v, &path("reason"), &record.reason);
    if let Some(customer) = &mut record.customer {
        check_customer(v, &path("customer"), customer);
    }
    let lines = &record.product_lines;
    limits::check_list(v, &path("product_lines"), lines, limits::LIST, limits::NAME);
    limits::check_attributes(v, &path("attributes"), &record.attributes, RESERVED_FIELDS);
    for (field, date) in [
        ("registered_date", record.registered_date),
        ("approved_date", record.approved_date),
        ("expected_close_date", record.expected_close_date),
        ("closed_date", record.closed_date),
    ] {
        if let Some(date) = date {
            v.take("", check_date(&path(field), date));
        }
    }
    if record.state.is_closed() != record.closed_date.is_some() {
        let wanted = if record.state.is_closed() {
            "is required"
        } else {
            "must be absent"
        };
        v.add(
            path("closed_date"),
            format!("{wanted} for a deal that is {}", record.state),
        );
    }
    check_amount(v, &path("amount"), &record);
    normalize_reversal(&mut record);
    check_reversal(v, &path("reversed_amount"), &record);
    record
}

fn check_customer(v: &mut Violations, path: &str, customer: &mut Customer) {
    limits::check_name(v, &format!("{path}.name"), &customer.name, limits::NAME);
    if let Some(domain) = &customer.domain
        && let Some(domain) = v.take("", normalize_domain(&format!("{path}.domain"), domain))
    {
        customer.domain = Some(domain);
    }
}

fn check_amount(v: &mut Violations, path: &str, record: &DealRecord) {
    let Some(Money { amount, currency }) = record.amount else {
        return;
    };
    v.take(path, Money::checked(amount, currency));
    if amount < Decimal::ZERO {
        v.add(
            format!("{path}.amount"),
            "must not be negative; take a won deal back by reversal",
        );
    }
    check_currency(v, path, currency, record);
}

fn check_currency(v: &mut Violations, path: &str, currency: Currency, record: &DealRecord) {
    if let Some(closed) = record.closed_date
        && !currency.in_force_on(closed)
    {
        v.add(
            format!("{path}.currency_code"),
            format!("{currency} was not in force any more on {closed}"),
        );
    }
}

/// A reversed deal has nothing left, whether or not the source said how much was taken back.
fn normalize_reversal(record: &mut DealRecord) {
    if record.state == DealState::Reversed && record.reversed_amount.is_zero() {
        record.reversed_amount = record.amount.map_or(Decimal::ZERO, |money| money.amount);
    }
}

fn check_reversal(v: &mut Violations, path: &str, record: &DealRecord) {
    let reversed = record.reversed_amount;
    let gross = record.amount.map_or(Decimal::ZERO, |money| money.amount);
    match record.state {
        DealState::Reversed if reversed != gross => {
            v.add(
                path,
                format!("must be the whole amount, {gross}, of a deal that is reversed"),
            );
        }
        DealState::Won if reversed < Decimal::ZERO => v.add(path, "must not be negative"),
        DealState::Won if !reversed.is_zero() && reversed >= gross => {
            v.add(
                path,
                format!("must be less than the amount, {gross}, of a deal that is won"),
            );
        }
        DealState::Reversed | DealState::Won => {}
        other if !reversed.is_zero() => {
            v.add(path, format!("must be absent for a deal that is {other}"));
        }
        _ => {}
    }
}
