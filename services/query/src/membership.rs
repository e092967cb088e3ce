//! The partners table by segment. Membership is kept nowhere: before the table is asked, the
//! partners of the org are looked at once, and what a filter says of segments becomes a list of
//! partners. So it is as current as the table itself, whatever changed: a partner or a segment.

use std::collections::BTreeMap;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row};
use tierline_domain::rules::Truth;
use tierline_domain::{Kind, OrgId, Rejection, SegmentId};
use tierline_proto::query::v1 as pb;
use tierline_readmodel::{PartnerRow, SegmentRow};
use tierline_rpc::Filter;
use tierline_rpc::filter::{FilterValue, Operator, Term, refuse};

use crate::Query;
use crate::fault::Fault;
use crate::listing::Selected;
use crate::long::off_threads;

/// The name in filters and groups.
pub(crate) const SEGMENT: &str = "segment";
/// Most segments that one filter may name.
const MAX_NAMED: usize = 10;
/// Partners that are read at a time.
const CHUNK: i64 = 1_000;
/// Most partners that one call looks at.
const MAX_PARTNERS: usize = 50_000;

/// The names of segments in a filter.
pub(crate) fn named(filter: &Filter) -> Result<BTreeMap<SegmentId, Term>, Rejection> {
    let mut named = BTreeMap::new();
    let mut wrong = None;
    filter.each_term(&mut |term| {
        if term.field == SEGMENT {
            match name_in(term) {
                Ok(id) => drop(named.entry(id).or_insert_with(|| term.clone())),
                Err(rejection) => wrong = wrong.take().or(Some(rejection)),
            }
        }
    });
    match (wrong, named.last_key_value()) {
        (Some(wrong), _) => Err(wrong),
        (None, Some((_, last))) if named.len() > MAX_NAMED => Err(refuse(
            last,
            format!("a filter names at most {MAX_NAMED} segments"),
        )),
        _ => Ok(named),
    }
}

fn name_in(term: &Term) -> Result<SegmentId, Rejection> {
    let operator = term.operator;
    let FilterValue::Text(name) = &term.value else {
        return Err(refuse(term, "name a segment; * is none"));
    };
    match operator {
        Operator::Equals | Operator::NotEquals | Operator::Has => {
            SegmentId::parse(name.as_str()).map_err(|_| unknown(term, name))
        }
        _ => Err(refuse(term, "segment takes the operators =, != and :")),
    }
}

fn unknown(term: &Term, name: &str) -> Rejection {
    let shown: String = name.chars().take(60).collect();
    refuse(term, format!("there is no segment \"{shown}\""))
}

impl Query {
    /// Looks up what a filter says of segments: a partner is in one where its condition is met, and
    /// not where it is unmet or unknown.
    pub(crate) async fn with_members(&self, org: &OrgId, filter: &mut Filter) -> Result<(), Fault> {
        let named = named(filter)?;
        if named.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = named.keys().map(SegmentId::as_str).collect();
        let rows: Vec<Json<SegmentRow>> = sqlx::query_scalar(
            "SELECT state FROM read.segments WHERE org_id = $1 AND key = ANY ($2)",
        )
        .bind(org.as_str())
        .bind(&ids)
        .fetch_all(self.pool())
        .await?;
        let segments: Vec<SegmentRow> = rows.into_iter().map(|Json(row)| row).collect();
        for (id, term) in &named {
            if !segments.iter().any(|row| row.segment == *id) {
                return Err(unknown(term, id.as_str()).into());
            }
        }
        let everybody = Selected::everything(&crate::partners::SOURCE, org);
        let mut members: BTreeMap<SegmentId, Vec<String>> = BTreeMap::new();
        self.each_membership(&everybody, segments, |partner, segment| {
            if let Some(segment) = segment {
                members
                    .entry(segment.clone())
                    .or_default()
                    .push(partner.to_owned());
            }
        })
        .await?;
        filter.replace_terms(&mut |term| {
            let id = (term.field == SEGMENT).then(|| name_in(term).ok())??;
            let one_of = Filter::OneOf("t.key", members.get(&id).cloned().unwrap_or_default());
            Some(match term.operator {
                Operator::NotEquals => Filter::Not(Box::new(one_of)),
                _ => one_of,
            })
        });
        Ok(())
    }

    /// How many of the selected partners are in each segment in use; those in none stand under the
    /// empty name. The largest group first.
    pub(crate) async fn segment_groups(
        &self,
        selected: &Selected<'_>,
    ) -> Result<Vec<pb::GroupCount>, Fault> {
        let rows: Vec<Json<SegmentRow>> = sqlx::query_scalar(
            "SELECT state FROM read.segments WHERE org_id = $1 AND NOT archived ORDER BY key",
        )
        .bind(selected.org.as_str())
        .fetch_all(self.pool())
        .await?;
        let segments = rows.into_iter().map(|Json(row)| row).collect();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.each_membership(selected, segments, |_, segment| {
            let group = segment.map(ToString::to_string).unwrap_or_default();
            *counts.entry(group).or_default() += 1;
        })
        .await?;
        let mut groups: Vec<pb::GroupCount> = counts
            .into_iter()
            .map(|(group, count)| pb::GroupCount { group, count })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(groups)
    }

    /// Calls `visit` with every selected partner and each of the segments that it is in; with none
    /// where it is in none of them.
    async fn each_membership(
        &self,
        selected: &Selected<'_>,
        segments: Vec<SegmentRow>,
        mut visit: impl FnMut(&str, Option<&SegmentId>),
    ) -> Result<(), Fault> {
        let segments = std::sync::Arc::new(segments);
        let (mut after, mut seen) = (String::new(), 0);
        loop {
            let rows = self.selected_after(selected, &after).await?;
            seen += rows.len();
            if seen > MAX_PARTNERS {
                return Err(too_many().into());
            }
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.partner.to_string();
            let asked = std::sync::Arc::clone(&segments);
            let found = off_threads(move || Ok(memberships(&rows, &asked))).await?;
            for (partner, of) in &found {
                if of.is_empty() {
                    visit(partner, None);
                }
                for at in of {
                    visit(partner, Some(&segments[*at].segment));
                }
            }
        }
    }

    async fn selected_after(
        &self,
        selected: &Selected<'_>,
        after: &str,
    ) -> Result<Vec<PartnerRow>, Fault> {
        let mut query = QueryBuilder::new("SELECT t.state");
        selected.push(&mut query)?;
        query.push(" AND t.key > ").push_bind(after.to_owned());
        query.push(" ORDER BY t.key LIMIT ").push_bind(CHUNK);
        let rows = query.build().fetch_all(self.pool()).await?;
        let mut partners = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(partner): Json<PartnerRow> = row.try_get(0)?;
            partners.push(partner);
        }
        Ok(partners)
    }
}

/// Each partner with the positions of the segments that it is in.
fn memberships(partners: &[PartnerRow], segments: &[SegmentRow]) -> Vec<(String, Vec<usize>)> {
    let of = |partner: &PartnerRow| {
        let attributes = partner.attributes();
        let is_in = |row: &SegmentRow| row.content.filter.holds(&attributes) == Truth::True;
        let all = segments.iter().enumerate();
        all.filter(|(_, row)| is_in(row))
            .map(|(at, _)| at)
            .collect()
    };
    partners
        .iter()
        .map(|partner| (partner.partner.to_string(), of(partner)))
        .collect()
}

fn too_many() -> Rejection {
    Rejection::new(
        Kind::Exhausted,
        "TOO_MANY_PARTNERS",
        format!(
            "segments are looked up for at most {MAX_PARTNERS} partners at a time; \
             ListSegmentMembers goes through more, page by page"
        ),
    )
}
