//! What all lists have in common: filter, order, page, and the SQL of them.

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, QueryBuilder, Row};
use tierline_domain::{OrgId, PartnerId};
use tierline_rpc::Filter;
use tierline_rpc::filter::{FilterField, parse, push_filter};
use tierline_rpc::order_by::{OrderBy, SortKey};
use tierline_rpc::paging::Page;

use crate::fault::Fault;

/// The source of a list: a table under the alias `t` with its joins, and what may be asked of it.
pub(crate) struct Source {
    /// What follows `FROM`. Every table is joined by its org.
    pub(crate) from: &'static str,
    /// Names of the filter.
    pub(crate) fields: &'static [FilterField],
    /// The column that holds the partner, to which some callers are confined.
    pub(crate) partner: &'static str,
}

/// Which rows of a source.
pub(crate) struct Selected<'a> {
    pub(crate) source: &'a Source,
    pub(crate) org: &'a OrgId,
    pub(crate) confined_to: Option<&'a PartnerId>,
    /// Further conditions: a column and the value that it must have.
    pub(crate) equal: Vec<(&'static str, String)>,
    pub(crate) filter: Filter,
}

impl<'a> Selected<'a> {
    pub(crate) fn new(
        source: &'a Source,
        org: &'a OrgId,
        confined_to: Option<&'a PartnerId>,
        filter: &str,
    ) -> Result<Self, Fault> {
        Ok(Self {
            source,
            org,
            confined_to,
            equal: Vec::new(),
            filter: parse(filter)?,
        })
    }

    /// All rows of an org.
    pub(crate) fn everything(source: &'a Source, org: &'a OrgId) -> Self {
        Self {
            source,
            org,
            confined_to: None,
            equal: Vec::new(),
            filter: Filter::Everything,
        }
    }

    /// Adds ` FROM … WHERE …`.
    pub(crate) fn push(&self, query: &mut QueryBuilder<'_, Postgres>) -> Result<(), Fault> {
        query
            .push(" FROM ")
            .push(self.source.from)
            .push(" WHERE t.org_id = ");
        query.push_bind(self.org.to_string());
        if let Some(partner) = self.confined_to {
            query.push(" AND ").push(self.source.partner).push(" = ");
            query.push_bind(partner.to_string());
        }
        for (column, value) in &self.equal {
            query
                .push(" AND ")
                .push(column)
                .push(" = ")
                .push_bind(value.clone());
        }
        query.push(" AND ");
        push_filter(query, &self.filter, self.source.fields)?;
        Ok(())
    }

    /// How many rows there are.
    pub(crate) async fn count(&self, pool: &PgPool) -> Result<u64, Fault> {
        let mut query = QueryBuilder::new("SELECT count(*)");
        self.push(&mut query)?;
        let count: i64 = query.build_query_scalar().fetch_one(pool).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// One page of rows: `columns`, then the texts that make the key of the row. Also gives the
    /// token of the next page.
    pub(crate) async fn page(
        &self,
        pool: &PgPool,
        columns: &str,
        order: &OrderBy,
        page: &Page<SortKey>,
    ) -> Result<(Vec<PgRow>, String), Fault> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(columns).push(", ");
        order.push_key_columns(&mut query);
        self.push(&mut query)?;
        if let Some(after) = &page.after {
            query.push(" AND ");
            order.push_after(&mut query, after)?;
        }
        order.push_order(&mut query);
        query.push(" LIMIT ").push_bind(page.limit());
        let mut rows = query.build().fetch_all(pool).await?;
        let next = page.finish(&mut rows, |row| key_of(row, order));
        Ok((rows, next))
    }
}

/// The key of a row. Every order ends in a field that tells rows apart, so a key that cannot be
/// read would be a bug; an empty one ends the list instead of repeating it.
fn key_of(row: &PgRow, order: &OrderBy) -> SortKey {
    let texts = (0..order.terms().len()).map(|at| row.try_get(format!("sort_{at}").as_str()));
    SortKey(texts.collect::<Result<_, _>>().unwrap_or_default())
}
