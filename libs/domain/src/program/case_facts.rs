//! Facts as people write them: in cases, and in lists of what is supposed.

use crate::money::Money;
use crate::program::file::{Case, CaseFact};
use crate::rejection::{Rejection, Violations};
use crate::rules::{Fact, Value};

/// The facts of a case, each as often as it says.
pub(super) fn facts_of(case: &Case) -> Result<Vec<Fact>, Rejection> {
    facts("facts", &case.facts)
}

/// Reads a list of facts, written as in a case; each comes as often as it says.
///
/// # Errors
/// `INVALID_REQUEST` on the field `facts`, with line and column, or with the fact that is wrong.
pub fn case_facts_from_yaml(text: &str) -> Result<Vec<Fact>, Rejection> {
    let given: Vec<CaseFact> = super::yaml::read("facts", text)?;
    facts("facts", &given)
}

fn facts(field: &str, given: &[CaseFact]) -> Result<Vec<Fact>, Rejection> {
    let mut violations = Violations::default();
    let mut facts = Vec::new();
    for (at, one) in given.iter().enumerate() {
        for number in 1..=one.times.unwrap_or(1) {
            let read = violations.take(&format!("{field}[{at}]"), one.fact(at, number));
            facts.extend(read);
        }
    }
    violations.check()?;
    Ok(facts)
}

impl CaseFact {
    /// The fact of this number, at this place in its list.
    fn fact(&self, at: usize, number: u16) -> Result<Fact, Rejection> {
        let numbered = |text: &str| text.replace("{n}", &number.to_string());
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                Value::Text(text) => Value::Text(numbered(text)),
                other => other.clone(),
            };
            (name.clone(), value)
        });
        let state = self.state.as_deref();
        Ok(Fact {
            kind: self.kind.clone(),
            id: format!("{at}-{number}"),
            version: 1,
            state: state.unwrap_or(self.kind.usual_state()).to_owned(),
            amount: self.amount.as_deref().map(amount).transpose()?,
            quantity: self.quantity,
            dates: self.dates.clone(),
            fields: fields.collect(),
            disqualified: None,
        })
    }
}

fn amount(text: &str) -> Result<Money, Rejection> {
    let wrong = |what: String| Rejection::invalid("amount", what);
    let (number, currency) = text
        .trim()
        .split_once(' ')
        .ok_or_else(|| wrong(format!("\"{text}\" is no amount; write it like 100 USD")))?;
    Money::parse(number, currency.trim()).map_err(|rejection| wrong(rejection.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_facts_is_read_as_in_a_case() {
        let text = "- { kind: deal, times: 2, amount: 10 EUR, fields: { customer: \"c{n}\" } }\n\
                    - { kind: review, dates: { held: 2026-01-01 } }\n";
        let facts = case_facts_from_yaml(text).unwrap();
        let customers: Vec<_> = facts.iter().map(|fact| fact.field("customer")).collect();
        let named = |name| Some(Value::text(name));
        assert_eq!(customers, [named("c1"), named("c2"), None]);
        assert_eq!(facts[0].state, "won");
        assert_eq!(facts[2].state, "recorded");
    }

    #[test]
    fn every_fact_that_is_wrong_is_named() {
        let text = "- { kind: deal, amount: 10 }\n- { kind: deal, amount: 10 EURO }\n";
        let rejection = case_facts_from_yaml(text).unwrap_err();
        let fields: Vec<&str> = rejection
            .violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, ["facts[0].amount", "facts[1].amount"]);
    }
}
