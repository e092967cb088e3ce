//! `order_by` (AIP-132): "field [asc|desc], …" over an allow-list, and the keyset condition of the
//! next page.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use tierline_domain::Rejection;

use crate::limits::MAX_ORDER_FIELDS;

/// A field that a list may be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderField {
    /// Its name in requests.
    pub name: &'static str,
    /// The SQL expression; never null.
    pub column: &'static str,
    /// The SQL type to which a key text is cast, such as `text`, `date`, `bigint`, `timestamptz`.
    pub sql_type: &'static str,
}

impl OrderField {
    /// A field of this name in orders, with its SQL expression and the type of that.
    pub const fn new(name: &'static str, column: &'static str, sql_type: &'static str) -> Self {
        Self {
            name,
            column,
            sql_type,
        }
    }
}

/// One term of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTerm {
    /// The field.
    pub field: OrderField,
    /// Largest first.
    pub descending: bool,
}

/// An order that tells any two entries apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy(Vec<OrderTerm>);

/// The values of an entry in the terms of an order, as SQL texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey(pub Vec<String>);

impl OrderBy {
    /// Reads an order. `default` is used for an empty text; `unique`, the name of a field that no
    /// two entries share, is added at the end where it is missing.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `order_by`.
    pub fn parse(
        text: &str,
        allowed: &[OrderField],
        default: &str,
        unique: &str,
    ) -> Result<Self, Rejection> {
        let text = if text.trim().is_empty() {
            default
        } else {
            text
        };
        let mut terms: Vec<OrderTerm> = Vec::new();
        for part in text.split(',') {
            let term = read_term(part, allowed)?;
            if terms
                .iter()
                .any(|known| known.field.name == term.field.name)
            {
                return Err(refuse(format!(
                    "\"{}\" stands there twice",
                    term.field.name
                )));
            }
            terms.push(term);
            if terms.len() > MAX_ORDER_FIELDS {
                return Err(refuse(format!(
                    "must have at most {MAX_ORDER_FIELDS} fields"
                )));
            }
        }
        if !terms.iter().any(|term| term.field.name == unique) {
            terms.push(read_term(unique, allowed)?);
        }
        Ok(Self(terms))
    }

    /// The terms.
    pub fn terms(&self) -> &[OrderTerm] {
        &self.0
    }

    /// The order in its one form, for binding page tokens to it.
    pub fn canonical(&self) -> String {
        let terms: Vec<String> = self
            .0
            .iter()
            .map(|term| {
                format!(
                    "{}{}",
                    term.field.name,
                    if term.descending { " desc" } else { "" }
                )
            })
            .collect();
        terms.join(",")
    }

    /// Adds ` ORDER BY …`.
    pub fn push_order(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push(" ORDER BY ");
        for (at, term) in self.0.iter().enumerate() {
            if at > 0 {
                query.push(", ");
            }
            query
                .push(term.field.column)
                .push(if term.descending { " DESC" } else { " ASC" });
        }
    }

    /// Adds the terms as columns of type text, which a [`SortKey`] is made of:
    /// `(column)::text AS sort_0, …`.
    pub fn push_key_columns(&self, query: &mut QueryBuilder<'_, Postgres>) {
        for (at, term) in self.0.iter().enumerate() {
            if at > 0 {
                query.push(", ");
            }
            query.push(format!("({})::text AS sort_{at}", term.field.column));
        }
    }

    /// Adds the condition that an entry comes after the key, in parentheses.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `page_token` for a key of another order.
    pub fn push_after(
        &self,
        query: &mut QueryBuilder<'_, Postgres>,
        key: &SortKey,
    ) -> Result<(), Rejection> {
        if key.0.len() != self.0.len() {
            return Err(Rejection::invalid("page_token", "is of another order"));
        }
        // a > x OR (a = x AND (b > y OR …)): works with mixed directions.
        query.push("(");
        for (at, term) in self.0.iter().enumerate() {
            let last = at + 1 == self.0.len();
            push_comparison(
                query,
                term,
                if term.descending { "<" } else { ">" },
                &key.0[at],
            );
            if !last {
                query.push(" OR (");
                push_comparison(query, term, "=", &key.0[at]);
                query.push(" AND (");
            }
        }
        for _ in 1..self.0.len() {
            query.push("))");
        }
        query.push(")");
        Ok(())
    }
}

fn push_comparison(
    query: &mut QueryBuilder<'_, Postgres>,
    term: &OrderTerm,
    operator: &str,
    value: &str,
) {
    query
        .push(term.field.column)
        .push(" ")
        .push(operator)
        .push(" (");
    query
        .push_bind(value.to_owned())
        .push("::text)::")
        .push(term.field.sql_type);
}

fn read_term(part: &str, allowed: &[OrderField]) -> Result<OrderTerm, Rejection> {
    let mut words = part.split_whitespace();
    let name = words.next().unwrap_or_default();
    let descending = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("asc") => false,
        Some(word) if word.eq_ignore_ascii_case("desc") => true,
        Some(_) => {
            return Err(refuse(
                "must be written like \"name desc, create_time\"".to_owned(),
            ));
        }
    };
    if words.next().is_some() {
        return Err(refuse(
            "must be written like \"name desc, create_time\"".to_owned(),
        ));
    }
    match allowed.iter().find(|field| field.name == name) {
        Some(field) => Ok(OrderTerm {
            field: *field,
            descending,
        }),
        None => {
            let names: Vec<_> = allowed.iter().map(|field| field.name).collect();
            let shown: String = name.chars().take(60).collect();
            Err(refuse(format!(
                "\"{shown}\" is none of: {}",
                names.join(", ")
            )))
        }
    }
}

fn refuse(description: String) -> Rejection {
    Rejection::invalid("order_by", description)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[OrderField] = &[
        OrderField {
            name: "name",
            column: "p.name",
            sql_type: "text",
        },
        OrderField {
            name: "tier",
            column: "p.tier_rank",
            sql_type: "bigint",
        },
        OrderField {
            name: "partner_id",
            column: "p.partner_id",
            sql_type: "text",
        },
    ];

    fn parse(text: &str) -> Result<OrderBy, Rejection> {
        OrderBy::parse(text, FIELDS, "name", "partner_id")
    }

    #[test]
    fn the_unique_field_is_added_so_that_pages_do_not_overlap() {
        assert_eq!(parse("").unwrap().canonical(), "name,partner_id");
        assert_eq!(
            parse("tier DESC , name asc").unwrap().canonical(),
            "tier desc,name,partner_id"
        );
        assert_eq!(
            parse("partner_id desc").unwrap().canonical(),
            "partner_id desc"
        );
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        for text in [
            "password",
            "name; drop table x",
            "name up",
            "name asc asc",
            "name,,tier",
            "name,name",
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.violations[0].field, "order_by", "{text}");
        }
    }

    #[test]
    fn the_next_page_begins_after_the_key_and_values_are_bound() {
        let order = parse("tier desc").unwrap();
        let mut query = QueryBuilder::new("WHERE ");
        order
            .push_after(&mut query, &SortKey(vec!["3".into(), "x'); --".into()]))
            .unwrap();
        order.push_order(&mut query);
        assert_eq!(
            query.sql(),
            "WHERE (p.tier_rank < ($1::text)::bigint OR (p.tier_rank = ($2::text)::bigint AND \
             (p.partner_id > ($3::text)::text))) ORDER BY p.tier_rank DESC, p.partner_id ASC"
        );
        assert!(
            order
                .push_after(&mut query, &SortKey(vec!["3".into()]))
                .is_err()
        );
    }
}
