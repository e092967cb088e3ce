//! Texts in requests.

use sqlx::{Postgres, QueryBuilder};
use tierline_domain::OrgId;
use tierline_rpc::field_mask::FieldMask;
use tierline_rpc::filter::{FieldKind, FilterField, parse, push_filter};
use tierline_rpc::order_by::{OrderBy, OrderField, SortKey};
use tierline_rpc::paging::Page;
use tierline_rpc::{command, consistency, limits};

use crate::{Target, text};

const fn field(name: &'static str, column: &'static str, kind: FieldKind) -> FilterField {
    FilterField { name, column, kind }
}

/// A field of each kind.
const FIELDS: &[FilterField] = &[
    field("id", "t.id", FieldKind::Id),
    field("name", "t.name", FieldKind::Text),
    field("state", "t.state", FieldKind::Word(&["won", "lost"])),
    field("tag", "t.tags", FieldKind::List),
    field("rank", "t.rank", FieldKind::Number),
    field("since", "t.since", FieldKind::Date),
    field("open", "t.open", FieldKind::Flag),
    field("time", "t.time", FieldKind::Time),
];

pub(crate) const FILTER: Target = Target {
    name: "filter",
    run: filter,
    seeds: &[
        "",
        "name = \"Nova\" AND (state = won OR NOT tag : gold)",
        "rank >= 2 AND since < 2026-01-01 AND open = true",
        "time > \"2026-01-01T00:00:00Z\" OR -id = a",
        "name : 'it\\'s' AND name = \"; DROP TABLE events --\"",
        "((((((((((name = a))))))))))",
        "name:*",
    ],
};

fn filter(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(filter) = parse(text) else { return };
    assert!(text.len() <= limits::MAX_FILTER_BYTES);
    let mut query = QueryBuilder::<Postgres>::new("");
    if push_filter(&mut query, &filter, FIELDS).is_ok() {
        // Whatever the caller wrote is bound, and never part of the statement.
        let sql = query.sql();
        assert!(
            !sql.contains('"') && !sql.contains(';') && !sql.contains("--"),
            "{sql}"
        );
        let open = sql.matches('(').count();
        assert_eq!(open, sql.matches(')').count(), "{sql}");
    }
}

const ORDER: &[OrderField] = &[
    OrderField {
        name: "name",
        column: "t.name",
        sql_type: "text",
    },
    OrderField {
        name: "rank",
        column: "t.rank",
        sql_type: "bigint",
    },
    OrderField {
        name: "id",
        column: "t.id",
        sql_type: "text",
    },
];

pub(crate) const ORDER_BY: Target = Target {
    name: "order_by",
    run: order_by,
    seeds: &["", "name", "name desc, rank asc", "rank,id", " name  ASC "],
};

fn order_by(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(order) = OrderBy::parse(text, ORDER, "name", "id") else {
        return;
    };
    let canonical = order.canonical();
    let again = OrderBy::parse(&canonical, ORDER, "name", "id");
    assert_eq!(again.unwrap().canonical(), canonical);
    assert!(order.terms().len() <= limits::MAX_ORDER_FIELDS + 1);
}

pub(crate) const PAGE_TOKEN: Target = Target {
    name: "page_token",
    run: page_token,
    seeds: &[
        "eyJrIjoiW1wiYVwiXSIsImMiOiJBQUFBQUFBQUFBQUFBQUFBIn0",
        "e30",
        "bnVsbA",
    ],
};

fn page_token(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let binding = ["List", "acme", ""];
    let Ok(page) = Page::<SortKey>::new(10, text, &binding) else {
        return;
    };
    // A token that is taken is one that was made here.
    if let Some(key) = &page.after {
        let again = Page::<SortKey>::new(10, &page.token(key), &binding);
        assert_eq!(again.unwrap().after.as_ref(), Some(key));
    }
}

pub(crate) const CONSISTENCY_TOKEN: Target = Target {
    name: "consistency_token",
    run: consistency_token,
    seeds: &["", "e30", "WyJhY21lIiwwLDFd", "eyJvcmciOiJhY21lIn0"],
};

fn consistency_token(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let org = OrgId::parse("acme").unwrap();
    if let Ok(points) = consistency::decode(text, &org) {
        let again = consistency::encode_all(&org, &points);
        assert_eq!(consistency::decode(&again, &org).unwrap(), points);
    }
}

pub(crate) const FIELD_MASK: Target = Target {
    name: "field_mask",
    run: field_mask,
    seeds: &[
        "",
        "*",
        "name",
        "name\nregion",
        "name\nname",
        "partner.name",
        "name.*",
    ],
};

fn field_mask(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let mask = prost_types::FieldMask {
        paths: text.lines().map(str::to_owned).collect(),
    };
    let allowed = ["name", "region"];
    if let Ok(fields) = FieldMask::new(Some(&mask), &allowed, |_| false) {
        for path in mask.paths.iter().filter(|path| *path != "*") {
            assert!(fields.has(path), "{path}");
        }
    }
}

pub(crate) const ETAG: Target = Target {
    name: "etag",
    run: etag,
    seeds: &[
        "",
        "\"v1\"",
        "\"v0\"",
        "\"v18446744073709551615\"",
        "W/\"v1\"",
    ],
};

fn etag(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(Some(version)) = command::parse_etag(text) {
        let again = command::parse_etag(&command::etag(version));
        assert_eq!(again.unwrap(), Some(version));
    }
    // The bound is on what is stored.
    if command::check_request_id(text).is_ok() {
        assert!(text.len() <= limits::MAX_REQUEST_ID_BYTES);
    }
}
