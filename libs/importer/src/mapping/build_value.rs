//! Checking the part of a mapping that says how one value is made.

use serde_saphyr::{Location, Spanned};

use super::build::{Builder, lower};
use super::raw::{Entries, RawAttribute, RawDecimal, RawThousands, RawValue, Text, Unlisted};
use super::{Otherwise, Source, Translate, ValueSpec};
use crate::filters::{FILTERS, Filter};
use crate::parse::{Attribute, DecimalMark, NumberFormat, Target, ThousandsMark};

/// The ways to name a source: column, constant, template, first_of.
type Sources = (
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Vec<Spanned<RawValue>>>,
);

impl Builder {
    /// `nested` values are texts on their way to something else: no typed settings there.
    pub(super) fn value(
        &mut self,
        raw: RawValue,
        at: Location,
        target: Target,
        path: &str,
        nested: bool,
    ) -> ValueSpec {
        self.settings(&raw, at, target, path, nested);
        let date = match &raw.format {
            Some(pattern) => self.pattern(pattern, path),
            None => self.date.clone(),
        };
        let number = NumberFormat {
            decimal: raw
                .decimal
                .map_or(self.number.decimal, |given| given.value.into()),
            thousands: raw
                .thousands
                .map_or(self.number.thousands, |v| Some(v.value.into())),
        };
        self.check_marks(number, at, path);
        let multiply = raw.multiply.and_then(|text| {
            let factor = NumberFormat::default().read(text.value.trim());
            if factor.is_err() {
                self.problem(
                    text.referenced,
                    path,
                    "multiply must be a number like 1000000",
                );
            }
            factor.ok()
        });
        let filters = raw
            .filters
            .iter()
            .filter_map(|text| self.filter(text, path))
            .collect();
        let translate = self.translate(
            raw.translate,
            raw.unlisted.map(|given| given.value),
            at,
            path,
        );
        let mut endings: Vec<String> = raw.strip;
        endings.retain(|ending| !ending.is_empty());
        let source = self.source(
            (raw.column, raw.constant, raw.template, raw.first_of),
            at,
            path,
        );
        ValueSpec {
            source,
            endings,
            filters,
            null_if: lower(&raw.null_if),
            translate,
            default: raw.default,
            split: raw.split.map(|text| text.value),
            date,
            number,
            multiply,
        }
    }

    fn settings(&mut self, raw: &RawValue, at: Location, target: Target, path: &str, nested: bool) {
        let mut wrong = Vec::new();
        if raw.format.is_some() && !target.is_date() {
            wrong.push("format is for dates");
        }
        if (raw.decimal.is_some() || raw.thousands.is_some() || raw.multiply.is_some())
            && !target.is_number()
        {
            wrong.push("decimal, thousands and multiply are for numbers");
        }
        if raw.split.is_some() && (!target.is_list() || nested) {
            wrong.push("split is for lists");
        }
        if raw.split.as_ref().is_some_and(|text| text.value.is_empty()) {
            wrong.push("split must name a separator");
        }
        if raw.unlisted.is_some() && raw.translate.is_none() {
            wrong.push("unlisted needs translate");
        }
        if nested && (raw.combine.is_some() || raw.attribute.is_some()) {
            wrong.push("combine and as belong to the field itself");
        }
        for text in wrong {
            self.problem(at, path, text);
        }
    }

    fn filter(&mut self, text: &Text, path: &str) -> Option<Filter> {
        let filter = Filter::parse(&text.value);
        if filter.is_none() {
            let message = format!("\"{}\" is no filter; allowed: {FILTERS}", text.value);
            self.problem(text.referenced, path, message);
        }
        filter
    }

    fn translate(
        &mut self,
        values: Option<Entries<String>>,
        unlisted: Option<Unlisted>,
        at: Location,
        path: &str,
    ) -> Option<Translate> {
        let mut translate = Translate {
            values: std::collections::HashMap::new(),
            listed: Vec::new(),
            otherwise: match unlisted {
                None | Some(Unlisted::Reject) => Otherwise::Reject,
                Some(Unlisted::Keep) => Otherwise::Keep,
                Some(Unlisted::Blank) => Otherwise::Blank,
                Some(Unlisted::Use(text)) => Otherwise::Use(text),
            },
        };
        for (from, to) in values?.0 {
            let key = from.value.trim().to_lowercase();
            translate.listed.push(from.value.trim().to_owned());
            if translate.values.insert(key, to).is_some() {
                let text = format!("translate lists \"{}\" twice", from.value);
                self.problem(from.referenced, path, text);
            }
        }
        if translate.values.is_empty() {
            self.problem(at, path, "translate is empty");
        }
        Some(translate)
    }

    fn source(&mut self, given: Sources, at: Location, path: &str) -> Source {
        match given {
            (Some(column), None, None, None) => {
                if column.value.trim().is_empty() {
                    self.problem(column.referenced, path, "column must name a column");
                }
                Source::Column(self.column(&column.value, column.referenced, path))
            }
            (None, Some(constant), None, None) => Source::Constant(constant.value),
            (None, None, Some(template), None) => Source::Template(self.template(&template, path)),
            (None, None, None, Some(values)) => {
                if values.is_empty() {
                    self.problem(at, path, "first_of is empty");
                }
                Source::FirstOf(
                    values
                        .into_iter()
                        .map(|v| self.value(v.value, v.referenced, Target::Text, path, true))
                        .collect(),
                )
            }
            _ => {
                let text = "needs exactly one of column, constant, template, first_of";
                self.problem(at, path, text);
                Source::Constant(String::new())
            }
        }
    }
}

impl From<RawDecimal> for DecimalMark {
    fn from(raw: RawDecimal) -> Self {
        match raw {
            RawDecimal::Point => Self::Point,
            RawDecimal::Comma => Self::Comma,
        }
    }
}

impl From<RawThousands> for ThousandsMark {
    fn from(raw: RawThousands) -> Self {
        match raw {
            RawThousands::Point => Self::Point,
            RawThousands::Comma => Self::Comma,
            RawThousands::Blank => Self::Blank,
            RawThousands::Apostrophe => Self::Apostrophe,
        }
    }
}

impl From<RawAttribute> for Attribute {
    fn from(raw: RawAttribute) -> Self {
        match raw {
            RawAttribute::Text => Self::Text,
            RawAttribute::Number => Self::Number,
            RawAttribute::Flag => Self::Flag,
            RawAttribute::Date => Self::Date,
            RawAttribute::List => Self::List,
        }
    }
}
