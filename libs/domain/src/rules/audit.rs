//! Fact by fact: which facts counted for a criterion, which did not, and why.

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money};
use crate::rules::certified::{Certificate, Held, held};
use crate::rules::contribution::{Contribution, Converted, LeftOut, contribution};
use crate::rules::evaluate::Context;
use crate::rules::fact::{Fact, FactKind};
use crate::rules::in_force::{Days, Lasting, lasting};
use crate::rules::model::{Condition, Criterion, InForce, Measure, Validity};
use crate::rules::needs::each_series;
use crate::rules::rates::{LOOK_BACK_DAYS, Rates};
use crate::rules::series::SeriesSpec;
use crate::time::DateRange;

/// What a fact meant for a criterion as of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactVerdict {
    /// Kind of the fact.
    pub kind: FactKind,
    /// Identifier of the fact.
    pub id: String,
    /// Version of the fact.
    pub version: u64,
    /// Whether it counted.
    pub counted: bool,
    /// Why it counted or not, as a person reads it.
    pub reason: String,
    /// The day on which it counts or would count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// What it added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Decimal>,
    /// The amount as it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// How the amount was converted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<RatesUsed>,
    /// Names of the parts of the set to which it belongs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

/// The rates by which an amount was converted: units for one unit of the base, with the days on
/// which they were published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatesUsed {
    /// Rate of the currency of the amount.
    pub from: Decimal,
    /// Its day.
    pub from_day: Date,
    /// Rate of the currency of the program.
    pub to: Decimal,
    /// Its day.
    pub to_day: Date,
}

impl From<Converted> for RatesUsed {
    fn from(converted: Converted) -> Self {
        Self {
            from: converted.from.rate,
            from_day: converted.from.published,
            to: converted.to.rate,
            to_day: converted.to.published,
        }
    }
}

/// What every fact of the kind that a criterion looks at meant for it as of the day of the
/// context, in the order of the facts. For a criterion over complete periods the day of the context
/// has to be the end of the period. Criteria that look at no facts give nothing.
pub fn facts_considered(
    criterion: &Criterion,
    context: &Context<'_>,
    facts: &[Fact],
    rates: &dyn Rates,
) -> Vec<FactVerdict> {
    let mut verdicts = Vec::new();
    each_series(criterion, context.pricing(), &mut |spec, window| {
        let days = window.days(context.as_of, context.calendar, context.enrolled_since);
        let of_kind = facts.iter().filter(|fact| fact.kind == *spec.kind);
        verdicts.extend(
            of_kind.map(|fact| over_days(criterion, &spec, days, fact, rates, context.currency)),
        );
    });
    criterion.measure.each_part(&mut |measure| {
        verdicts.extend(looked_at(criterion, measure, context, facts));
    });
    once_each(verdicts)
}

/// What facts meant for a measure that looks at each of them as it is.
fn looked_at(
    criterion: &Criterion,
    measure: &Measure,
    context: &Context<'_>,
    facts: &[Fact],
) -> Vec<FactVerdict> {
    let certified = |filter: &Condition, validity: &[Validity]| {
        let of_kind = |fact: &&Fact| fact.kind.as_str() == FactKind::CERTIFICATION;
        let facts = facts.iter().filter(of_kind);
        facts
            .map(|fact| {
                let held = held(Certificate::of(fact), filter, validity, context.as_of);
                certification(criterion, held, fact)
            })
            .collect()
    };
    match measure {
        Measure::PersonsCertified {
            filter, validity, ..
        } => certified(filter, validity),
        Measure::Roles(roles) => {
            let any = roles.roles.iter().map(|role| role.filter.clone()).collect();
            certified(&Condition::Any(any), &roles.validity)
        }
        Measure::InForce(wanted) => {
            let days = Days::of(wanted, context.as_of, |window| {
                window.days(context.as_of, context.calendar, context.enrolled_since)
            });
            let of_kind = facts.iter().filter(|fact| fact.kind == wanted.kind);
            of_kind
                .map(|fact| in_force(wanted, fact, &days, context.currency))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn in_force(wanted: &InForce, fact: &Fact, days: &Days, currency: Currency) -> FactVerdict {
    let day = fact.date(&wanted.from);
    // Of all groups: to which one a fact belongs is said by its field.
    let wanted = InForce {
        same: None,
        ..wanted.clone()
    };
    let (from, until) = (&wanted.from, &wanted.until);
    match lasting(&wanted, fact, days, None, currency) {
        Lasting::Counted(number) => {
            let reason = format!("was in force, by its dates \"{from}\" and \"{until}\"");
            let mut verdict = verdict(fact, true, reason, day);
            verdict.value = Some(number.normalize());
            verdict
        }
        Lasting::Apart => {
            let reason = format!("was not in force, by its dates \"{from}\" and \"{until}\"");
            verdict(fact, false, reason, day)
        }
        Lasting::LeftOut(why) => {
            let reason = why_left_out(why, from, fact, currency);
            verdict(fact, false, reason, day)
        }
    }
}

/// A fact that several numbers of a measure look at is said once: where it counted, if it did.
fn once_each(verdicts: Vec<FactVerdict>) -> Vec<FactVerdict> {
    let mut kept: Vec<FactVerdict> = Vec::with_capacity(verdicts.len());
    let mut places: HashMap<(FactKind, String), usize> = HashMap::new();
    for verdict in verdicts {
        let key = (verdict.kind.clone(), verdict.id.clone());
        match places.get(&key).copied() {
            Some(at) if verdict.counted && !kept[at].counted => kept[at] = verdict,
            Some(_) => {}
            None => {
                places.insert(key, kept.len());
                kept.push(verdict);
            }
        }
    }
    kept
}

fn verdict(fact: &Fact, counted: bool, reason: String, day: Option<Date>) -> FactVerdict {
    FactVerdict {
        kind: fact.kind.clone(),
        id: fact.id.clone(),
        version: fact.version,
        counted,
        reason,
        day,
        value: None,
        amount: fact.amount,
        conversion: None,
        parts: Vec::new(),
    }
}

fn over_days(
    criterion: &Criterion,
    spec: &SeriesSpec<'_>,
    days: DateRange,
    fact: &Fact,
    rates: &dyn Rates,
    currency: Currency,
) -> FactVerdict {
    let counted = match contribution(spec, fact, rates) {
        Contribution::LeftOut { day, why } => {
            let reason = match (why, fact.amount, day) {
                (LeftOut::NoRate, Some(money), Some(day)) => {
                    no_rate(spec, money.currency, currency, day)
                }
                _ => why_left_out(why, &spec.date, fact, currency),
            };
            return verdict(fact, false, reason, day);
        }
        Contribution::Counted(counted) => counted,
    };
    let date = &spec.date;
    if !days.contains(counted.day) {
        let side = if counted.day > days.to {
            "after"
        } else {
            "before"
        };
        let reason = format!("its date \"{date}\" is {side} the window");
        return verdict(fact, false, reason, Some(counted.day));
    }
    let reason = format!("passes the filter, and its date \"{date}\" is in the window");
    let mut verdict = verdict(fact, true, reason, Some(counted.day));
    verdict.value = Some(counted.value.normalize());
    verdict.conversion = counted.conversion.map(RatesUsed::from);
    let parts = criterion.of_which.iter().enumerate();
    let inside = parts.filter(|(at, _)| counted.parts.contains(*at));
    verdict.parts = inside.map(|(_, part)| part.name.clone()).collect();
    verdict
}

fn no_rate(spec: &SeriesSpec<'_>, from: Currency, to: Currency, day: Date) -> String {
    if spec.is_valued_by_rates() {
        format!(
            "no rate to convert {from} to {to}: none for {day} or the {LOOK_BACK_DAYS} days before \
             it"
        )
    } else {
        format!(
            "no rate to convert {from} to {to}: the rates that the program fixes give none for \
             {day}"
        )
    }
}

fn why_left_out(why: LeftOut<'_>, date: &str, fact: &Fact, currency: Currency) -> String {
    match why {
        LeftOut::OtherKind => "is of another kind".to_owned(),
        LeftOut::Disqualified(reason) => format!("disqualified: {reason}"),
        LeftOut::Retracted => "retracted".to_owned(),
        LeftOut::Undated => format!("has no date \"{date}\""),
        LeftOut::Filtered => "does not pass the filter".to_owned(),
        LeftOut::Ended => "ended before the day on which it would have counted".to_owned(),
        LeftOut::Unclear => {
            "a field that the filter needs is missing or of another type".to_owned()
        }
        LeftOut::NoValue => "has no value that could be added up or told apart".to_owned(),
        LeftOut::NoRate => match fact.amount {
            Some(money) => format!("no rate to convert {} to {currency}", money.currency),
            None => "has no amount".to_owned(),
        },
    }
}

fn certification(criterion: &Criterion, held: Held<'_>, fact: &Fact) -> FactVerdict {
    let day = fact.date("awarded");
    let reason = match held {
        Held::Valid {
            person,
            certification,
        } => {
            let reason = format!("valid; {person} holds {certification}");
            let mut verdict = verdict(fact, true, reason, day);
            let inside = criterion
                .of_which
                .iter()
                .filter(|part| part.filter.holds(fact) == crate::rules::condition::Truth::True);
            verdict.parts = inside.map(|part| part.name.clone()).collect();
            return verdict;
        }
        Held::Future(awarded) => format!("not awarded before {awarded}"),
        Held::Expired(expires) => format!("expired; {expires} was its last valid day"),
        Held::Revoked => "revoked".to_owned(),
        Held::LeftOut(LeftOut::NoValue) => "names no person or no certification".to_owned(),
        Held::LeftOut(why) => why_left_out(why, "awarded", fact, Currency::EUR),
    };
    verdict(fact, false, reason, day)
}
