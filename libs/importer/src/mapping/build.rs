//! From the written mapping to the checked one, collecting every problem.

use serde_saphyr::{Location, Spanned};
use tierline_domain::Currency;

use super::raw::{
    Combine, Entries, Many, RateColumns, RawCondition, RawFile, RawGroup, RawLookup, RawMapping,
    RawRates, RawValue, Text,
};
use super::{
    ColumnRef, Condition, FieldSpec, FileFormat, GroupSpec, Kind, LookupSpec, Mapping, Place,
    RatesSpec, Test, ValueSpec, WideRates,
};
use crate::error::{MappingError, Problem};
use crate::parse::{Attribute, DatePattern, DecimalMark, NumberFormat, Target, ThousandsMark};
use crate::suggest::did_you_mean;
use crate::template::{self, Piece};

const DEFAULT_REJECTED_PERCENT: u8 = 5;

pub(super) fn build(name: &str, raw: RawMapping, digest: String) -> Result<Mapping, MappingError> {
    let mut builder = Builder {
        kind: raw.kind,
        problems: Vec::new(),
        columns: Vec::new(),
        values: Vec::new(),
        declared: Vec::new(),
        lookups: Vec::new(),
        date: DatePattern::default(),
        number: NumberFormat {
            decimal: raw
                .formats
                .decimal
                .map_or_else(DecimalMark::default, Into::into),
            thousands: raw.formats.thousands.map(Into::into),
        },
    };
    if let Some(pattern) = &raw.formats.date {
        builder.date = builder.pattern(pattern, "formats.date");
    }
    builder.check_marks(builder.number, raw.fields.referenced, "formats");
    let max_rejected_percent = builder.percent(raw.max_rejected_percent.as_ref());
    for column in &raw.required_columns {
        builder.own(&column.value);
    }
    builder.declared = raw
        .lookups
        .iter()
        .map(|l| l.name.value.trim().to_owned())
        .collect();
    for (name, value) in raw.values.map(|values| values.0).unwrap_or_default() {
        builder.named(name, value);
    }
    for lookup in raw.lookups {
        builder.lookup(lookup);
    }
    let conditions = raw
        .conditions
        .into_iter()
        .filter_map(|condition| builder.condition(condition))
        .collect();
    let group = raw.group_by.map(|group| builder.group(group));
    let fields = builder.fields(raw.fields.value, raw.fields.referenced, group.is_some());
    let rates = builder.rates(
        raw.rates.map(|rates| (rates.referenced, rates.value)),
        &fields,
    );
    let format = builder.format(&raw.file, "file");
    if !builder.problems.is_empty() {
        return Err(MappingError {
            file: name.to_owned(),
            problems: builder.problems,
        });
    }
    Ok(Mapping {
        kind: raw.kind,
        name: name.to_owned(),
        description: raw.description.unwrap_or_default(),
        format,
        nulls: lower(&raw.nulls),
        empty_rows: raw.empty_rows,
        max_rejected_percent,
        columns: builder.columns,
        values: builder.values.into_iter().map(|(_, value)| value).collect(),
        lookups: builder.lookups,
        conditions,
        group,
        fields,
        rates,
        digest,
    })
}

pub(super) fn lower(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .map(|text| text.trim().to_lowercase())
        .collect()
}

pub(super) struct Builder {
    kind: Kind,
    problems: Vec<Problem>,
    columns: Vec<String>,
    /// Named values; a later one may refer to an earlier one.
    values: Vec<(String, ValueSpec)>,
    /// Names of all lookups, built or not.
    declared: Vec<String>,
    lookups: Vec<LookupSpec>,
    pub(super) date: DatePattern,
    pub(super) number: NumberFormat,
}

impl Builder {
    pub(super) fn problem(&mut self, at: Location, field: &str, text: impl Into<String>) {
        self.problems.push(Problem {
            line: at.line(),
            column: at.column(),
            field: field.to_owned(),
            text: text.into(),
        });
    }

    fn percent(&mut self, given: Option<&Spanned<u8>>) -> u8 {
        let Some(given) = given else {
            return DEFAULT_REJECTED_PERCENT;
        };
        if given.value > 100 {
            self.problem(
                given.referenced,
                "max_rejected_percent",
                "must be from 0 to 100",
            );
        }
        given.value
    }

    pub(super) fn pattern(&mut self, text: &Text, field: &str) -> DatePattern {
        DatePattern::parse(&text.value).unwrap_or_else(|wrong| {
            self.problem(
                text.referenced,
                field,
                format!("\"{}\" {wrong}", text.value),
            );
            DatePattern::default()
        })
    }

    pub(super) fn check_marks(&mut self, number: NumberFormat, at: Location, field: &str) {
        let same = matches!(
            (number.decimal, number.thousands),
            (DecimalMark::Point, Some(ThousandsMark::Point))
                | (DecimalMark::Comma, Some(ThousandsMark::Comma))
        );
        if same {
            self.problem(at, field, "decimal and thousands must be different marks");
        }
    }

    fn format(&mut self, raw: &RawFile, field: &str) -> FileFormat {
        let mut columns: Vec<String> = Vec::new();
        for column in &raw.columns {
            let name = column.value.trim();
            if columns.iter().any(|known| known == name) {
                let text = format!("\"{name}\" is listed twice");
                self.problem(column.referenced, &format!("{field}.columns"), text);
            }
            columns.push(name.to_owned());
        }
        FileFormat {
            delimiter: raw.delimiter.byte(),
            columns: (!columns.is_empty()).then_some(columns),
            quotes: raw.quotes,
        }
    }

    fn own(&mut self, column: &str) -> usize {
        intern(&mut self.columns, column.trim())
    }

    /// A named value, `lookup.Column` where a lookup of that name is declared, or a column of the
    /// file.
    pub(super) fn column(&mut self, name: &str, at: Location, path: &str) -> ColumnRef {
        if let Some(value) = self
            .values
            .iter()
            .position(|(known, _)| known == name.trim())
        {
            return ColumnRef::Value(value);
        }
        if let Some((prefix, column)) = name.split_once('.') {
            let prefix = prefix.trim();
            if let Some(lookup) = self.lookups.iter().position(|l| l.name == prefix) {
                let slot = intern(&mut self.lookups[lookup].columns, column.trim());
                return ColumnRef::Lookup { lookup, slot };
            }
            if self.declared.iter().any(|known| known == prefix) {
                let text = format!(
                    "refers to the lookup \"{prefix}\" before it is there: values come before \
                     lookups, and a lookup sees only earlier ones"
                );
                self.problem(at, path, text);
            }
        }
        ColumnRef::Own(self.own(name))
    }

    fn named(&mut self, name: Text, value: RawValue) {
        let path = format!("values.{}", name.value);
        let text = name.value.trim().to_owned();
        if text.is_empty() || self.values.iter().any(|(known, _)| *known == text) {
            self.problem(name.referenced, &path, "must be a name that is used once");
        }
        let value = self.value(value, name.referenced, Target::Text, &path, true);
        self.values.push((text, value));
    }

    pub(super) fn template(&mut self, text: &Text, field: &str) -> Vec<Piece<ColumnRef>> {
        match template::parse(&text.value) {
            Ok(pieces) => pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(literal) => Piece::Text(literal),
                    Piece::Column { column, filters } => {
                        let column = self.column(&column, text.referenced, field);
                        Piece::Column { column, filters }
                    }
                })
                .collect(),
            Err(wrong) => {
                self.problem(
                    text.referenced,
                    field,
                    format!("\"{}\" {wrong}", text.value),
                );
                Vec::new()
            }
        }
    }

    fn lookup(&mut self, raw: RawLookup) {
        let name = raw.name.value.trim().to_owned();
        let field = format!("lookups.{name}");
        if tierline_domain::ids::check_label("", &name).is_err() || name.contains('.') {
            let text = "must be a name of a-z, 0-9, '-' and '_'";
            self.problem(raw.name.referenced, "lookups.name", text);
        }
        if self.lookups.iter().any(|known| known.name == name) {
            self.problem(
                raw.name.referenced,
                "lookups.name",
                format!("\"{name}\" is used twice"),
            );
        }
        if raw.path.value.trim().is_empty() {
            self.problem(
                raw.path.referenced,
                &format!("{field}.path"),
                "must name a file",
            );
        }
        let format = self.format(&raw.file, &format!("{field}.file"));
        let by_field = format!("{field}.by");
        let by = self.value(
            raw.by.value,
            raw.by.referenced,
            Target::Text,
            &by_field,
            true,
        );
        self.lookups.push(LookupSpec {
            name,
            path: raw.path.value,
            format,
            key: raw.key.value.trim().to_owned(),
            by,
            missing: raw.missing,
            columns: Vec::new(),
        });
    }

    fn condition(&mut self, raw: RawCondition) -> Option<Condition> {
        let tests = [
            raw.any_of.map(|texts| Test::AnyOf(lower(&texts))),
            raw.none_of.map(|texts| Test::NoneOf(lower(&texts))),
            raw.present.map(Test::Present),
        ];
        let mut tests = tests.into_iter().flatten();
        let (Some(test), None) = (tests.next(), tests.next()) else {
            let text = "needs exactly one of any_of, none_of, present";
            self.problem(raw.column.referenced, "where", text);
            return None;
        };
        if raw.reason.value.trim().is_empty() {
            self.problem(
                raw.reason.referenced,
                "where.reason",
                "must say why rows are skipped",
            );
        }
        let column = self.column(&raw.column.value, raw.column.referenced, "where.column");
        let reason = self.template(&raw.reason, "where.reason");
        Some(Condition {
            column,
            test,
            reason,
        })
    }

    fn group(&mut self, raw: Spanned<RawGroup>) -> GroupSpec {
        if self.kind == Kind::Rates {
            self.problem(raw.referenced, "group_by", "is not for kind rates");
        }
        let key = raw.value.key;
        let at = key.referenced;
        let key = self.value(key.value, at, Target::Text, "group_by.key", true);
        GroupSpec {
            key,
            rows: raw.value.rows,
        }
    }

    fn fields(&mut self, raw: Entries<Many>, at: Location, grouped: bool) -> Vec<FieldSpec> {
        let mut fields: Vec<FieldSpec> = Vec::new();
        for (name, Many(values)) in raw.0 {
            let path = format!("fields.{}", name.value);
            let Some((place, target, required)) = self.place(&name, &values, &path) else {
                continue;
            };
            if fields.iter().any(|field| field.place == place) {
                self.problem(name.referenced, &path, "is given twice");
            }
            if values.len() != 1 && !target.is_list() {
                self.problem(
                    name.referenced,
                    &path,
                    "takes one value, not a list of values",
                );
            }
            let combine = self.combine(&values, target, grouped, &path);
            let at = name.referenced;
            let values = values
                .into_iter()
                .map(|value| self.value(value, at, target, &path, false))
                .collect();
            let name = name.value;
            fields.push(FieldSpec {
                name,
                place,
                target,
                required,
                values,
                combine,
            });
        }
        for def in self.kind.fields().iter().filter(|def| def.required) {
            if !fields.iter().any(|field| field.name == def.name) {
                let text = format!("is missing: {} need it", self.kind.as_str());
                self.problem(at, &format!("fields.{}", def.name), text);
            }
        }
        fields
    }

    fn place(
        &mut self,
        name: &Text,
        values: &[RawValue],
        path: &str,
    ) -> Option<(Place, Target, bool)> {
        let kind = self.kind;
        let attribute = values.iter().find_map(|value| value.attribute.as_ref());
        if let Some(attribute_name) = name.value.strip_prefix("attributes.")
            && kind.has_attributes()
        {
            if tierline_domain::ids::check_label("", attribute_name).is_err() {
                let text = "must be attributes.NAME with a NAME of a-z, 0-9, '-', '_'";
                self.problem(name.referenced, path, text);
                return None;
            }
            if kind.reserved().contains(&attribute_name) {
                let text =
                    format!("\"{attribute_name}\" is the name of a field, not of an attribute");
                self.problem(name.referenced, path, text);
            }
            let target = attribute.map_or(Attribute::Text, |given| given.value.into());
            let place = Place::Attribute(attribute_name.to_owned());
            return Some((place, Target::Attribute(target), false));
        }
        if let Some(attribute) = attribute {
            self.problem(attribute.referenced, path, "\"as\" is for attributes only");
        }
        if let Some(slot) = kind.slot(&name.value) {
            let def = &kind.fields()[slot];
            return Some((Place::Slot(slot), def.target, def.required));
        }
        let names: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
        let attributes = if kind.has_attributes() {
            ", attributes.NAME"
        } else {
            ""
        };
        let text = format!(
            "is no field of {}{}; allowed: {}{attributes}",
            kind.as_str(),
            did_you_mean(&name.value, names.iter().copied()),
            names.join(", "),
        );
        self.problem(name.referenced, path, text);
        None
    }

    fn combine(
        &mut self,
        values: &[RawValue],
        target: Target,
        grouped: bool,
        path: &str,
    ) -> Combine {
        let standard = if target.is_list() {
            Combine::Distinct
        } else {
            Combine::Same
        };
        let Some(given) = values.iter().find_map(|value| value.combine.as_ref()) else {
            return standard;
        };
        let ordered = target.is_number() || target.is_date();
        let (fits, allowed) = match given.value {
            Combine::Sum => (target.is_number(), "sum is for numbers"),
            Combine::Min | Combine::Max => (ordered, "min and max are for numbers and dates"),
            Combine::Distinct => (target.is_list(), "distinct is for lists"),
            Combine::Same | Combine::First | Combine::Last => {
                (!target.is_list(), "lists are combined by distinct")
            }
        };
        if !grouped {
            self.problem(given.referenced, path, "combine needs group_by");
        } else if !fits {
            self.problem(given.referenced, path, allowed);
        }
        given.value
    }

    fn rates(
        &mut self,
        raw: Option<(Location, RawRates)>,
        fields: &[FieldSpec],
    ) -> Option<RatesSpec> {
        let has = |name: &str| fields.iter().any(|field| field.name == name);
        let (at, raw) = match (raw, self.kind) {
            (Some(raw), Kind::Rates) => raw,
            (None, Kind::Rates) => {
                self.problem(
                    Location::UNKNOWN,
                    "rates",
                    "is missing: kind rates needs rates.base",
                );
                return None;
            }
            (Some((at, _)), _) => {
                self.problem(at, "rates", "is for kind rates only");
                return None;
            }
            (None, _) => return None,
        };
        if raw.source.value.trim().is_empty() {
            let text = "must say who publishes the rates, such as ECB";
            self.problem(raw.source.referenced, "rates.source", text);
        }
        let base = Currency::parse(raw.base.value.trim());
        if base.is_err() {
            let text = "must be an ISO 4217 currency code like EUR";
            self.problem(raw.base.referenced, "rates.base", text);
        }
        let wide = raw.columns.map(|columns| match columns.value {
            RateColumns::All => WideRates::All,
            RateColumns::Listed(columns) => WideRates::Listed(
                columns
                    .iter()
                    .map(|column| self.own(&column.value))
                    .collect(),
            ),
        });
        let long = (has("currency"), has("rate"));
        if wide.is_some() && long != (false, false) {
            self.problem(
                at,
                "rates.columns",
                "excludes fields.currency and fields.rate",
            );
        }
        if wide.is_none() && long != (true, true) {
            let text = "needs rates.columns (one column per currency), or both fields.currency \
                        and fields.rate (one row per currency)";
            self.problem(at, "rates", text);
        }
        Some(RatesSpec {
            base: base.ok()?,
            source: raw.source.value.trim().to_owned(),
            wide,
            number: self.number,
        })
    }
}

fn intern(names: &mut Vec<String>, name: &str) -> usize {
    if let Some(slot) = names.iter().position(|known| known == name) {
        return slot;
    }
    names.push(name.to_owned());
    names.len() - 1
}
