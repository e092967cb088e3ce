//! Filters and orders as PostgreSQL understands them.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use sqlx::{PgPool, Postgres, QueryBuilder};
use tierline_rpc::filter::{FieldKind, FilterField, parse, push_filter};
use tierline_rpc::order_by::{OrderBy, OrderField, SortKey};
use tierline_rpc::paging::Page;
use tierline_testkit::TestDatabase;

const SCHEMA: &str = "
    CREATE TABLE things (
        id text PRIMARY KEY, name text, kind text, amount numeric, since date,
        created timestamptz, closed boolean, tags text[]
    );
    INSERT INTO things VALUES
        ('a', 'Ada & Co', 'reseller', 10, '2026-01-01', '2026-01-01T10:00Z', false, '{gold,eu}'),
        ('b', 'BOB 100%', 'referral', 2.5, '2026-02-01', '2026-02-01T10:00Z', true, '{eu}'),
        ('c', 'Carol''s', 'reseller', 10, '2026-03-01', '2026-03-01T10:00Z', false, '{}'),
        ('d', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
";

const FIELDS: &[FilterField] = &[
    FilterField {
        name: "id",
        column: "t.id",
        kind: FieldKind::Id,
    },
    FilterField {
        name: "name",
        column: "t.name",
        kind: FieldKind::Text,
    },
    FilterField {
        name: "kind",
        column: "t.kind",
        kind: FieldKind::Word(&["reseller", "referral"]),
    },
    FilterField {
        name: "amount",
        column: "t.amount",
        kind: FieldKind::Number,
    },
    FilterField {
        name: "since",
        column: "t.since",
        kind: FieldKind::Date,
    },
    FilterField {
        name: "created",
        column: "t.created",
        kind: FieldKind::Time,
    },
    FilterField {
        name: "closed",
        column: "t.closed",
        kind: FieldKind::Flag,
    },
    FilterField {
        name: "tag",
        column: "t.tags",
        kind: FieldKind::List,
    },
];

async fn ids(pool: &PgPool, filter: &str) -> String {
    let mut query = QueryBuilder::<Postgres>::new("SELECT t.id FROM things t WHERE ");
    push_filter(&mut query, &parse(filter).unwrap(), FIELDS).unwrap();
    query.push(" ORDER BY t.id");
    let ids: Vec<String> = query.build_query_scalar().fetch_all(pool).await.unwrap();
    ids.concat()
}

#[tokio::test]
async fn every_kind_of_comparison_finds_what_it_says() {
    let database = TestDatabase::create_with(SCHEMA).await;
    let pool = database.pool(2).await;
    for (filter, expected) in [
        ("", "abcd"),
        ("id = a OR id = B", "a"),
        ("id != a", "bcd"),
        ("name = \"ada & co\"", "a"),
        ("name != \"ada & co\"", "bcd"),
        ("name:\"0%\"", "b"),
        ("name:'_'", ""),
        ("name:\"l's\"", "c"),
        ("name:*", "abc"),
        ("NOT name:*", "d"),
        ("kind = Reseller", "ac"),
        ("NOT kind = reseller", "bd"),
        ("amount > 2.4 AND amount < 10", "b"),
        ("amount >= 10", "ac"),
        ("amount != 10", "bd"),
        ("amount:*", "abc"),
        ("since <= 2026-02-01", "ab"),
        ("since = 2026-03-01", "c"),
        ("created > 2026-02-01", "bc"),
        ("created >= 2026-02-01T12:00:00+02:00", "bc"),
        ("closed = true", "b"),
        ("closed != true", "acd"),
        ("tag:eu", "ab"),
        ("tag != eu", "cd"),
        ("tag:*", "ab"),
        ("tag:gold AND kind = reseller OR kind = referral", "a"),
        ("-(tag:eu) AND amount = 10", "c"),
        ("name = \"'; DROP TABLE things; --\"", ""),
    ] {
        assert_eq!(ids(&pool, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn pages_of_any_order_give_every_entry_once() {
    const ORDER: &[OrderField] = &[
        OrderField {
            name: "id",
            column: "t.id",
            sql_type: "text",
        },
        OrderField {
            name: "amount",
            column: "coalesce(t.amount, -1)",
            sql_type: "numeric",
        },
        OrderField {
            name: "created",
            column: "coalesce(t.created, '-infinity')",
            sql_type: "timestamptz",
        },
    ];
    let database = TestDatabase::create_with(SCHEMA).await;
    let pool = database.pool(2).await;
    for (order, expected) in [
        ("", "abcd"),
        ("id desc", "dcba"),
        ("amount desc", "acbd"),
        ("amount desc, id desc", "cabd"),
        ("amount, created desc", "dbca"),
        ("created", "dabc"),
    ] {
        let order = OrderBy::parse(order, ORDER, "id", "id").unwrap();
        let mut token = String::new();
        let mut seen = String::new();
        for _ in 0..10 {
            let page: Page<SortKey> = Page::new(1, &token, &[&order.canonical()]).unwrap();
            let mut query = QueryBuilder::<Postgres>::new("SELECT ");
            order.push_key_columns(&mut query);
            query.push(", t.id FROM things t WHERE ");
            match &page.after {
                Some(key) => order.push_after(&mut query, key).unwrap(),
                None => {
                    query.push("TRUE");
                }
            }
            order.push_order(&mut query);
            query.push(" LIMIT ").push_bind(page.limit());
            let rows = query.build().fetch_all(&pool).await.unwrap();
            let terms = order.terms().len();
            let mut rows: Vec<(SortKey, String)> = rows
                .iter()
                .map(|row| {
                    use sqlx::Row as _;
                    (
                        SortKey((0..terms).map(|at| row.get(at)).collect()),
                        row.get(terms),
                    )
                })
                .collect();
            token = page.finish(&mut rows, |row| row.0.clone());
            seen.extend(rows.into_iter().map(|row| row.1));
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected, "{}", order.canonical());
    }
}
