//! Making one survey: the org and everybody in it, the facts some partners at a time, and what is
//! written down.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use tierline_domain::partner::Partner;
use tierline_domain::program::rates::RatesEvent;
use tierline_domain::rules::{Fact, NaiveFacts};
use tierline_domain::surroundings::{Everybody, Member, Observed, SurroundingsEvent, Survey};
use tierline_domain::{OrgId, PartnerId, Routing, StreamId};
use tierline_eventstore::{AppendInError, AppendItem, CommandContext, NewEvent, append_in};

use super::loading::{self, Enrolled};
use crate::handler::KnownRates;
use crate::org::OrgView;
use crate::store;

/// Type name of the streams that surveys write.
const SURROUNDINGS: &str = "Surroundings";
/// Partners whose facts are held at once.
const AT_ONCE: usize = 200;
/// Partners after which others of the process have their turn.
const IN_A_ROW: usize = 32;

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Surveys an org, appends what is observed, and says how much that is.
pub(super) async fn survey(
    connection: &mut PgConnection,
    rates: &mut KnownRates,
    org: &str,
) -> Result<usize, sqlx::Error> {
    let Some(view) = loading::org(connection, org).await? else {
        return Ok(0);
    };
    let Some(today) = view.clock.filter(|_| view.looks_beyond()) else {
        return Ok(0);
    };
    let partners = loading::partners(connection, org).await?;
    let enrolled = loading::enrollments(connection, org).await?;
    know(connection, rates, org, &view).await?;
    let members: Vec<Member<'_>> = enrolled.iter().map(Enrolled::member).collect();
    let survey = Survey::new(Everybody {
        today,
        calendar: view.org.calendar(),
        versions: &view.versions,
        partners: &partners,
        members: &members,
    });
    let mut facts = Facts {
        connection,
        org,
        partners: &partners,
        rates,
        seen: view.rates_seen,
    };
    let observed = look(survey, &mut facts).await?;
    let id = OrgId::parse(org).map_err(unreadable)?;
    write(connection, &id, &enrolled, observed, &today.to_string()).await
}

impl Enrolled {
    fn member(&self) -> Member<'_> {
        Member {
            terms: &self.terms,
            standing: &self.standing,
            known: &self.known,
        }
    }
}

/// Reads the rates that are not known yet.
async fn know(
    connection: &mut PgConnection,
    rates: &mut KnownRates,
    org: &str,
    view: &OrgView,
) -> Result<(), sqlx::Error> {
    if rates.version >= view.rates_seen {
        return Ok(());
    }
    let stream = store::rates_stream(connection, org, rates.version, view.rates_seen).await?;
    for (sequence, payload) in stream {
        let event: RatesEvent = serde_json::from_str(&payload).map_err(unreadable)?;
        rates.publish(sequence, &event);
    }
    Ok(())
}

/// Where the facts of partners come from.
struct Facts<'a> {
    connection: &'a mut PgConnection,
    org: &'a str,
    partners: &'a BTreeMap<PartnerId, Partner>,
    rates: &'a KnownRates,
    seen: u64,
}

impl Facts<'_> {
    /// Calls `look` with the facts of each partner.
    async fn of_each(
        &mut self,
        partners: BTreeSet<PartnerId>,
        mut look: impl FnMut(&PartnerId, &NaiveFacts<'_>) + Send,
    ) -> Result<(), sqlx::Error> {
        let partners: Vec<PartnerId> = partners.into_iter().collect();
        for some in partners.chunks(AT_ONCE) {
            let keys: Vec<_> = some
                .iter()
                .map(|partner| (self.org.to_owned(), partner.clone()))
                .collect();
            let mut facts: BTreeMap<PartnerId, Vec<Fact>> = BTreeMap::new();
            for ((_, partner), fact) in store::load_all_facts(self.connection, &keys).await? {
                facts.entry(partner).or_default().push(fact);
            }
            for (done, partner) in some.iter().enumerate() {
                if done % IN_A_ROW == IN_A_ROW - 1 {
                    tokio::task::yield_now().await;
                }
                let attributes = self.partners.get(partner).map(Partner::attributes);
                look(
                    partner,
                    &NaiveFacts {
                        facts: facts.get(partner).map_or(&[][..], Vec::as_slice),
                        attributes: &attributes.unwrap_or_default(),
                        rates: &self.rates.table.as_known_at(self.seen),
                    },
                );
            }
        }
        Ok(())
    }
}

async fn look(mut survey: Survey<'_>, facts: &mut Facts<'_>) -> Result<Vec<Observed>, sqlx::Error> {
    facts
        .of_each(survey.to_measure(), |partner, facts| {
            survey.measure(partner, facts);
        })
        .await?;
    survey.rank();
    facts
        .of_each(survey.to_line_up(), |partner, facts| {
            survey.line_up(partner, facts);
        })
        .await?;
    let mut observed = survey.compare();
    facts
        .of_each(survey.to_look(), |partner, facts| {
            observed.extend(survey.look(partner, facts));
        })
        .await?;
    Ok(observed)
}

/// Appends what was observed. Where the evaluator has not taken in yet what was observed before,
/// nothing is: it will note the org again.
async fn write(
    connection: &mut PgConnection,
    org: &OrgId,
    enrolled: &[Enrolled],
    observed: Vec<Observed>,
    today: &str,
) -> Result<usize, sqlx::Error> {
    if observed.is_empty() {
        return Ok(0);
    }
    let taken_in: BTreeMap<_, u64> = enrolled
        .iter()
        .map(|enrolled| (&enrolled.terms.enrollment, enrolled.known.observations))
        .collect();
    let stream = |observed: &Observed| StreamId::new(org, &observed.enrollment);
    let streams: Vec<String> = observed
        .iter()
        .map(|observed| stream(observed).as_str().to_owned())
        .collect();
    let logged = loading::observations(connection, &streams).await?;
    let mut context = CommandContext::new(org.clone(), "service:tier-evaluator");
    context.org_time = Some(today.to_owned());
    let metadata = context.metadata();
    let mut items = Vec::new();
    for one in observed {
        let stream = stream(&one);
        let base = logged.get(stream.as_str()).copied().unwrap_or_default();
        if taken_in.get(&one.enrollment) != Some(&base) {
            continue;
        }
        let routing = Routing::Partner(one.partner.clone());
        let event = SurroundingsEvent::SurroundingsObserved(Box::new(one));
        let event = NewEvent::from_domain(&event, &metadata).map_err(unreadable)?;
        let (org, events) = (org.clone(), vec![event]);
        items.push(AppendItem::new(
            SURROUNDINGS,
            stream,
            org,
            &routing,
            base,
            events,
        ));
    }
    if items.is_empty() {
        return Ok(0);
    }
    append_in(connection, &items)
        .await
        .map_err(|error| match error {
            AppendInError::Database(error) => error,
            other => sqlx::Error::Protocol(other.to_string()),
        })?;
    Ok(items.len())
}
