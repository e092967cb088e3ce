//! What is known about a partner: the description, the people, the vocabulary of types and stages.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::PartnerId;
use crate::money::Money;
use crate::rules::Value;

macro_rules! label {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $( $(#[$vdoc])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it, in JSON and in requirements.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Rejection;

            /// Takes the word, in any case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let word = text.trim();
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str().eq_ignore_ascii_case(word))
                    .ok_or_else(|| {
                        let words: Vec<_> = Self::ALL.iter().map(|v| v.as_str()).collect();
                        $crate::Rejection::invalid(
                            "",
                            format!("\"{word}\" is none of: {}", words.join(", ")),
                        )
                    })
            }
        }
    };
}
pub(crate) use label;

label!(
    /// What kind of partner it is.
    PartnerType {
        /// Builds on or integrates with the vendor's product.
        Technology = "technology",
        /// Sells, delivers or services it.
        Channel = "channel",
        /// Resells it.
        Reseller = "reseller",
        /// Refers customers.
        Referral = "referral",
    }
);

label!(
    /// How far the relation has come.
    PartnerStage {
        /// Not won yet.
        Prospect = "prospect",
        /// Being set up.
        Onboarding = "onboarding",
        /// At work.
        Active = "active",
        /// Growing.
        Scaling = "scaling",
        /// Nothing happens.
        Dormant = "dormant",
        /// Gone.
        Exited = "exited",
    }
);

label!(
    /// Whether the partner takes part.
    PartnerStatus {
        /// Not confirmed yet.
        Pending = "pending",
        /// Takes part.
        Active = "active",
        /// Held for a while: no new enrollments, no new deal registrations.
        Suspended = "suspended",
        /// Does not take part any more.
        Inactive = "inactive",
    }
);

impl PartnerStatus {
    /// True when the partner may be enrolled and may register deals.
    pub fn takes_part(self) -> bool {
        matches!(self, Self::Pending | Self::Active)
    }
}

/// A person at a partner. The only place where personal data of contacts is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// First name; required.
    pub first_name: String,
    /// Last name; required.
    pub last_name: String,
    /// E-mail address; required, unique among the contacts of the partner, lower case.
    pub email: String,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The description of a partner. Status, tags and contacts are kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerProfile {
    /// Company name.
    pub name: String,
    /// Web domain, normalized; unique in the org.
    pub domain: String,
    /// What kind of partner it is.
    pub partner_type: PartnerType,
    /// Main region, as the org names its regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Country of the seat, as the org writes countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Who looks after the partner on the vendor's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_manager: Option<String>,
    /// Finer kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtype: Option<String>,
    /// Category of the org's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Industry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// How far the relation has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<PartnerStage>,
    /// All regions in which the partner works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Languages in which the partner works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Number of employees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_count: Option<u32>,
    /// Revenue of a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annual_revenue: Option<Money>,
    /// Parent company, itself a partner of the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PartnerId>,
    /// Attributes of the org's own, for requirements and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}

impl PartnerProfile {
    /// A profile with what every partner has.
    pub fn new(
        name: impl Into<String>,
        domain: impl Into<String>,
        partner_type: PartnerType,
    ) -> Self {
        Self {
            name: name.into(),
            domain: domain.into(),
            partner_type,
            region: None,
            country: None,
            partner_manager: None,
            subtype: None,
            category: None,
            industry: None,
            stage: None,
            regions: Vec::new(),
            languages: Vec::new(),
            employee_count: None,
            annual_revenue: None,
            parent: None,
            attributes: BTreeMap::new(),
        }
    }
}

impl PartnerProfile {
    /// The built-in attributes of the description.
    pub(crate) fn built_in_attributes(&self) -> BTreeMap<String, Value> {
        let text = |text: &Option<String>| text.as_ref().map(Value::text);
        let list = |items: &[String]| (!items.is_empty()).then(|| Value::List(items.to_vec()));
        let revenue = self.annual_revenue;
        [
            ("name", Some(Value::text(&self.name))),
            ("domain", Some(Value::text(&self.domain))),
            ("type", Some(Value::text(self.partner_type.as_str()))),
            ("subtype", text(&self.subtype)),
            ("category", text(&self.category)),
            ("industry", text(&self.industry)),
            ("stage", self.stage.map(|stage| Value::text(stage.as_str()))),
            ("region", text(&self.region)),
            ("country", text(&self.country)),
            ("partner_manager", text(&self.partner_manager)),
            ("regions", list(&self.regions)),
            ("languages", list(&self.languages)),
            (
                "employee_count",
                self.employee_count.map(|n| Value::Number(Decimal::from(n))),
            ),
            (
                "annual_revenue",
                revenue.map(|money| Value::Number(money.amount)),
            ),
            (
                "annual_revenue_currency",
                revenue.map(|money| Value::text(money.currency.as_str())),
            ),
            (
                "parent",
                self.parent
                    .as_ref()
                    .map(|parent| Value::text(parent.as_str())),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

impl PartnerProfile {
    /// What requirements, segments and filters can ask about a partner of this description: the
    /// built-in attributes, and those of the org's own. What is not known is not in the map.
    pub fn attributes_with(
        &self,
        status: PartnerStatus,
        tags: &BTreeSet<String>,
    ) -> BTreeMap<String, Value> {
        let mut all = self.built_in_attributes();
        all.insert("status".to_owned(), Value::text(status.as_str()));
        if !tags.is_empty() {
            let tags = tags.iter().cloned().collect();
            all.insert("tags".to_owned(), Value::List(tags));
        }
        all.extend(self.attributes.clone());
        all
    }
}

/// Changes to a profile. An absent field stays as it is. In a field that may be empty,
/// `Some(None)` (JSON `null`) empties it. Lists and the attribute map are replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartnerChanges {
    /// Company name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Web domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// What kind of partner it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_type: Option<PartnerType>,
    /// Main region.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub region: Option<Option<String>>,
    /// Country of the seat.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub country: Option<Option<String>>,
    /// Who looks after the partner on the vendor's side.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub partner_manager: Option<Option<String>>,
    /// Finer kind.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub subtype: Option<Option<String>>,
    /// Category of the org's own.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub category: Option<Option<String>>,
    /// Industry.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub industry: Option<Option<String>>,
    /// How far the relation has come.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub stage: Option<Option<PartnerStage>>,
    /// All regions in which the partner works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Languages in which the partner works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    /// Number of employees.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub employee_count: Option<Option<u32>>,
    /// Revenue of a year.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub annual_revenue: Option<Option<Money>>,
    /// Parent company.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub parent: Option<Option<PartnerId>>,
    /// Attributes of the org's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, Value>>,
}

/// Tells a JSON `null` (empty the field) from an absent field (leave it alone).
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

macro_rules! each_field {
    ($each:ident) => {
        $each!(
            name,
            domain,
            partner_type,
            region,
            country,
            partner_manager,
            subtype,
            category,
            industry,
            stage,
            regions,
            languages,
            employee_count,
            annual_revenue,
            parent,
            attributes
        )
    };
}

impl PartnerChanges {
    /// What turns `from` into `to`.
    pub fn between(from: &PartnerProfile, to: &PartnerProfile) -> Self {
        macro_rules! differences {
            ($($field:ident),+) => {
                Self { $($field: (from.$field != to.$field).then(|| to.$field.clone())),+ }
            };
        }
        each_field!(differences)
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes.
    pub fn apply_to(&self, profile: &mut PartnerProfile) {
        macro_rules! replaced {
            ($($field:ident),+) => {
                $(if let Some(value) = &self.$field { profile.$field = value.clone(); })+
            };
        }
        each_field!(replaced);
    }
}
