//! From [`Filter`] to a condition in SQL. Names come from the allow-list, values are only bound.

use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};
use tierline_domain::Rejection;
use tierline_domain::time::parse_date;

use super::{Filter, FilterValue, Operator, Term};

/// A field that a filter may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterField {
    /// Its name in filters.
    pub name: &'static str,
    /// The SQL expression.
    pub column: &'static str,
    /// What kind of values it has.
    pub kind: FieldKind,
}

impl FilterField {
    /// A field of this name in filters, with its SQL expression.
    pub const fn new(name: &'static str, column: &'static str, kind: FieldKind) -> Self {
        Self { name, column, kind }
    }
}

/// What kind of values a field has, and so which operators it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// An identifier, compared exactly: `=`, `!=`, and `:` as `=`.
    Id,
    /// A text, compared without regard to case: `=`, `!=`, and `:` for "contains".
    Text,
    /// One of these words, in any case: `=`, `!=`, and `:` as `=`.
    Word(&'static [&'static str]),
    /// A number: all operators but `:` with a value.
    Number,
    /// A `date` column: all operators but `:` with a value.
    Date,
    /// A `timestamptz` column, compared with an instant or a date (its midnight in UTC).
    Time,
    /// True or false: `=`, `!=`.
    Flag,
    /// A `text[]` column: `:` and `=` for "has", `!=` for "has not".
    List,
}

/// Adds the condition of a filter, in parentheses where needed; `TRUE` for an empty filter.
///
/// # Errors
/// `INVALID_REQUEST` on `filter` for a field that is not on the list, an operator that the field
/// does not take, or a value that it cannot have.
pub fn push_filter(
    query: &mut QueryBuilder<'_, Postgres>,
    filter: &Filter,
    fields: &[FilterField],
) -> Result<(), Rejection> {
    match filter {
        Filter::Everything => {
            query.push("TRUE");
        }
        Filter::And(items) => push_joined(query, items, " AND ", fields)?,
        Filter::Or(items) => push_joined(query, items, " OR ", fields)?,
        Filter::Not(inner) => {
            // What has no value does not pass the inner condition, and so passes the outer one.
            query.push("NOT coalesce(");
            push_filter(query, inner, fields)?;
            query.push(", FALSE)");
        }
        Filter::Term(term) => push_term(query, term, fields)?,
        Filter::OneOf(column, values) => {
            query.push(*column).push(" = ANY (");
            query.push_bind(values.clone()).push(")");
        }
    }
    Ok(())
}

fn push_joined(
    query: &mut QueryBuilder<'_, Postgres>,
    items: &[Filter],
    word: &str,
    fields: &[FilterField],
) -> Result<(), Rejection> {
    query.push("(");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            query.push(word);
        }
        push_filter(query, item, fields)?;
    }
    query.push(")");
    Ok(())
}

/// The refusal of a term of a filter.
pub fn refuse(term: &Term, description: impl std::fmt::Display) -> Rejection {
    Rejection::invalid(
        "filter",
        format!("at character {}: {description}", term.column),
    )
}

fn push_term(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    fields: &[FilterField],
) -> Result<(), Rejection> {
    let Some(field) = fields.iter().find(|field| field.name == term.field) else {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        let shown: String = term.field.chars().take(60).collect();
        return Err(refuse(
            term,
            format!("\"{shown}\" is none of: {}", names.join(", ")),
        ));
    };
    let FilterValue::Text(value) = &term.value else {
        push_presence(query, field);
        return Ok(());
    };
    match field.kind {
        FieldKind::Id => push_exact(query, term, field, value.clone()),
        FieldKind::Word(words) => {
            let known = words.iter().find(|word| word.eq_ignore_ascii_case(value));
            let word = known.ok_or_else(|| {
                refuse(
                    term,
                    format!("\"{value}\" is none of: {}", words.join(", ")),
                )
            })?;
            push_exact(query, term, field, (*word).to_owned())
        }
        FieldKind::Text => push_text(query, term, field, value),
        FieldKind::Number => {
            let number: Decimal = Decimal::from_str_exact(value)
                .map_err(|_| refuse(term, format!("\"{value}\" is no number")))?;
            push_ordered(query, term, field, number.to_string(), "numeric")
        }
        FieldKind::Date => {
            let date = parse_date("filter", value)
                .map_err(|_| refuse(term, format!("\"{value}\" is no date like 2026-03-31")))?;
            push_ordered(query, term, field, date.to_string(), "date")
        }
        FieldKind::Time => push_ordered(query, term, field, instant(term, value)?, "timestamptz"),
        FieldKind::Flag => push_flag(query, term, field, value),
        FieldKind::List => push_list(query, term, field, value),
    }
}

fn push_presence(query: &mut QueryBuilder<'_, Postgres>, field: &FilterField) {
    match field.kind {
        FieldKind::List => query
            .push("coalesce(cardinality(")
            .push(field.column)
            .push("), 0) > 0"),
        FieldKind::Text | FieldKind::Id | FieldKind::Word(_) => query
            .push("coalesce(")
            .push(field.column)
            .push(", '') <> ''"),
        _ => query.push(field.column).push(" IS NOT NULL"),
    };
}

fn push_exact(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    field: &FilterField,
    value: String,
) -> Result<(), Rejection> {
    let operator = match term.operator {
        Operator::Equals | Operator::Has => " = ",
        Operator::NotEquals => " IS DISTINCT FROM ",
        _ => return Err(no_operator(term, field, "=, != and :")),
    };
    query.push(field.column).push(operator).push_bind(value);
    Ok(())
}

fn push_text(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    field: &FilterField,
    value: &str,
) -> Result<(), Rejection> {
    match term.operator {
        Operator::Equals | Operator::NotEquals => {
            let operator = if term.operator == Operator::Equals {
                ") = lower("
            } else {
                ") IS DISTINCT FROM lower("
            };
            query.push("lower(").push(field.column).push(operator);
            query.push_bind(value.to_owned()).push(")");
        }
        Operator::Has => {
            query
                .push(field.column)
                .push(" ILIKE ")
                .push_bind(contains_pattern(value));
        }
        _ => return Err(no_operator(term, field, "=, != and :")),
    }
    Ok(())
}

/// The pattern of a text that contains `value`, in which nothing else is special.
fn contains_pattern(value: &str) -> String {
    let mut pattern = String::with_capacity(value.len() + 2);
    pattern.push('%');
    for c in value.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn push_ordered(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    field: &FilterField,
    value: String,
    sql_type: &str,
) -> Result<(), Rejection> {
    let operator = match term.operator {
        Operator::NotEquals => "IS DISTINCT FROM",
        Operator::Has => return Err(no_operator(term, field, "=, !=, <, <=, > and >=")),
        other => other.as_str(),
    };
    query.push(field.column).push(" ").push(operator).push(" (");
    query.push_bind(value).push("::text)::").push(sql_type);
    Ok(())
}

fn push_flag(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    field: &FilterField,
    value: &str,
) -> Result<(), Rejection> {
    let flag: bool = value
        .parse()
        .map_err(|_| refuse(term, format!("\"{value}\" is neither true nor false")))?;
    let operator = match term.operator {
        Operator::Equals | Operator::Has => " = ",
        Operator::NotEquals => " IS DISTINCT FROM ",
        _ => return Err(no_operator(term, field, "= and !=")),
    };
    query.push(field.column).push(operator).push_bind(flag);
    Ok(())
}

fn push_list(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &Term,
    field: &FilterField,
    value: &str,
) -> Result<(), Rejection> {
    let negated = match term.operator {
        Operator::Equals | Operator::Has => false,
        Operator::NotEquals => true,
        _ => return Err(no_operator(term, field, ":, = and !=")),
    };
    if negated {
        query.push("NOT coalesce(");
    }
    // Containment of arrays, which a GIN index answers.
    query
        .push(field.column)
        .push(" @> ARRAY[")
        .push_bind(value.to_owned())
        .push("]::text[]");
    if negated {
        query.push(", FALSE)");
    }
    Ok(())
}

fn instant(term: &Term, value: &str) -> Result<String, Rejection> {
    if let Ok(date) = parse_date("filter", value) {
        return Ok(format!("{date}T00:00:00Z"));
    }
    value
        .parse::<jiff::Timestamp>()
        .map(|time| time.to_string())
        .map_err(|_| {
            refuse(
                term,
                format!("\"{value}\" is no instant like 2026-03-31T10:00:00Z and no date"),
            )
        })
}

fn no_operator(term: &Term, field: &FilterField, allowed: &str) -> Rejection {
    refuse(
        term,
        format!(
            "\"{}\" does not take {}; it takes {allowed}",
            field.name,
            term.operator.as_str()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::parse;

    const FIELDS: &[FilterField] = &[
        FilterField {
            name: "partner_id",
            column: "p.partner_id",
            kind: FieldKind::Id,
        },
        FilterField {
            name: "name",
            column: "p.name",
            kind: FieldKind::Text,
        },
        FilterField {
            name: "type",
            column: "p.type",
            kind: FieldKind::Word(&["reseller", "referral"]),
        },
        FilterField {
            name: "count",
            column: "p.count",
            kind: FieldKind::Number,
        },
        FilterField {
            name: "since",
            column: "p.since",
            kind: FieldKind::Date,
        },
        FilterField {
            name: "create_time",
            column: "p.created",
            kind: FieldKind::Time,
        },
        FilterField {
            name: "closed",
            column: "p.closed",
            kind: FieldKind::Flag,
        },
        FilterField {
            name: "tag",
            column: "p.tags",
            kind: FieldKind::List,
        },
    ];

    fn sql(text: &str) -> Result<String, Rejection> {
        let mut query = QueryBuilder::new("");
        push_filter(&mut query, &parse(text)?, FIELDS)?;
        Ok(query.sql().to_owned())
    }

    #[test]
    fn each_kind_of_field_has_its_own_comparison() {
        for (text, expected) in [
            ("", "TRUE"),
            ("partner_id = p-1", "p.partner_id = $1"),
            ("name = Ada", "lower(p.name) = lower($1)"),
            ("name:da", "p.name ILIKE $1"),
            ("name:*", "coalesce(p.name, '') <> ''"),
            ("type = RESELLER", "p.type = $1"),
            ("count >= 2.5", "p.count >= ($1::text)::numeric"),
            (
                "since != 2026-01-01",
                "p.since IS DISTINCT FROM ($1::text)::date",
            ),
            (
                "create_time > 2026-01-01",
                "p.created > ($1::text)::timestamptz",
            ),
            ("closed = true", "p.closed = $1"),
            ("tag:gold", "p.tags @> ARRAY[$1]::text[]"),
            (
                "tag != gold",
                "NOT coalesce(p.tags @> ARRAY[$1]::text[], FALSE)",
            ),
            ("tag:*", "coalesce(cardinality(p.tags), 0) > 0"),
            (
                "NOT name=a AND tag:x OR tag:y",
                "(NOT coalesce(lower(p.name) = lower($1), FALSE) AND (p.tags @> ARRAY[$2]::text[] \
                 OR p.tags @> ARRAY[$3]::text[]))",
            ),
        ] {
            assert_eq!(sql(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_fields_operators_and_values_are_refused_by_place() {
        for (text, part) in [
            ("password = x", "none of: partner_id, name"),
            ("name > a", "takes =, != and :"),
            ("type = bank", "none of: reseller, referral"),
            ("count = many", "no number"),
            ("since = 31.3.2026", "no date"),
            ("create_time < yesterday", "no instant"),
            ("closed = yes", "neither true nor false"),
            ("closed > true", "takes = and !="),
            ("tag < a", "takes :, = and !="),
            ("count:5", "takes =, !="),
            ("name = a AND count = x", "at character 14"),
        ] {
            let refusal = sql(text).unwrap_err();
            assert_eq!(refusal.violations[0].field, "filter");
            let description = &refusal.violations[0].description;
            assert!(description.contains(part), "{text}: {description}");
        }
    }

    #[test]
    fn what_is_special_in_patterns_is_taken_literally() {
        assert_eq!(contains_pattern(r"50%_\"), r"%50\%\_\\%");
    }

    proptest::proptest! {
        #[test]
        fn values_never_become_part_of_the_statement(value in "[^\"\\\\\0]{1,40}") {
            let text = format!("name = \"{value}\" AND tag:\"{value}\"");
            let statement = sql(&text).unwrap();
            proptest::prop_assert_eq!(
                statement,
                "(lower(p.name) = lower($1) AND p.tags @> ARRAY[$2]::text[])"
            );
        }
    }
}
