//! Everything that happens in the demonstration, month by month, out of a seed.
//!
//! Made before anything is sent, from whole numbers only, so that the same seed gives the same
//! requests. Rows describe a state as of the end of their month.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use tierline_domain::activity::{DescribeCertification, RecordActivity, RecordDeal};
use tierline_domain::partner::{PartnerType, RecordPartner};
use tierline_domain::time::add_months;
use tierline_domain::{Currency, Rejection};

use super::course::Course;
use super::dice::Dice;
use super::words::{BRANCHES, HEADS, TAILS};
use super::{business, company, rates};

/// First day of the history.
pub(super) const START: Date = date(2024, 7, 1);
/// Where the clock stands in the end: the day after the history.
pub(super) const END: Date = date(2026, 7, 1);
/// Length of the history in months.
pub(super) const MONTHS: i32 = 24;
/// Number of partners.
pub(super) const PARTNERS: u16 = 300;
/// The seed of the demonstration that is shipped.
pub(super) const SEED: u64 = 20_240_701;

/// The partner that texts refer to.
#[cfg(test)]
pub(super) const SHOWN: &str = "aurora-systems";

/// Program and track that resellers are in.
pub(super) const RESELL: (&str, &str) = ("three-tier", "resell");
/// Program and track that technology partners are in.
pub(super) const INTEGRATE: (&str, &str) = ("technology-alliance", "integrate");
/// Program and track that referring partners are in.
pub(super) const REFER: (&str, &str) = ("referral-network", "refer");

/// The whole history.
#[derive(Debug)]
pub(super) struct World {
    /// Exchange rates, units for one euro.
    pub(super) rates: Vec<RateDay>,
    /// The months in their order.
    pub(super) months: Vec<Month>,
}

/// The exchange rates of a day.
#[derive(Debug)]
pub(super) struct RateDay {
    /// The day.
    pub(super) date: Date,
    /// Units for one euro.
    pub(super) rates: BTreeMap<Currency, Decimal>,
}

/// What becomes known in a month; by identifier, so that each thing is there once.
#[derive(Debug)]
pub(super) struct Month {
    /// Its first day.
    pub(super) first: Date,
    /// Partners that join or change.
    pub(super) partners: BTreeMap<String, RecordPartner>,
    /// New enrollments.
    pub(super) enrollments: Vec<Enrollment>,
    /// Deals as they stand at the end of the month, of those in which something happened.
    pub(super) deals: BTreeMap<String, RecordDeal>,
    /// Certifications likewise.
    pub(super) certifications: BTreeMap<String, DescribeCertification>,
    /// References, reviews, campaigns and integrations.
    pub(super) records: BTreeMap<String, RecordActivity>,
    /// Tiers that a person sets.
    pub(super) pins: Vec<Pin>,
}

/// A partner's way into a program.
#[derive(Debug, Clone)]
pub(super) struct Enrollment {
    /// The partner.
    pub(super) partner: String,
    /// Program and track.
    pub(super) place: (&'static str, &'static str),
    /// First day.
    pub(super) start: Date,
}

impl Enrollment {
    /// Its identifier.
    pub(super) fn id(&self) -> String {
        format!("{}.{}.{}", self.partner, self.place.0, self.place.1)
    }
}

/// A tier that a person sets.
#[derive(Debug)]
pub(super) struct Pin {
    /// The enrollment.
    pub(super) enrollment: String,
    /// The tier.
    pub(super) tier: &'static str,
    /// Why.
    pub(super) reason: &'static str,
    /// Last day.
    pub(super) until: Date,
}

/// A company that partners sell to.
#[derive(Debug)]
pub(super) struct Customer {
    /// Name.
    pub(super) name: String,
    /// Internet domain.
    pub(super) domain: String,
}

impl Month {
    fn new(first: Date) -> Self {
        Self {
            first,
            partners: BTreeMap::new(),
            enrollments: Vec::new(),
            deals: BTreeMap::new(),
            certifications: BTreeMap::new(),
            records: BTreeMap::new(),
            pins: Vec::new(),
        }
    }
}

impl World {
    /// The history of a seed.
    ///
    /// # Errors
    /// When a generated identifier has not the form of one; a test shows that none has.
    pub(super) fn generate(seed: u64) -> Result<Self, Rejection> {
        let mut world = Self {
            rates: rates::walk(&mut Dice::new(seed, 1))?,
            months: (0..MONTHS)
                .map(|month| Month::new(add_months(START, month)))
                .collect(),
        };
        let mut names = Names::new(seed);
        let customers: Vec<Customer> = (0..600).map(|_| names.customer()).collect();
        for number in 0..PARTNERS {
            let mut dice = Dice::new(seed, 1_000 + u64::from(number));
            let cast = cast(number, &mut dice, &mut names);
            let company = company::found(number, cast, &mut dice);
            company::join(&mut world, &company)?;
            business::conduct(&mut world, &company, &customers, &mut dice)?;
        }
        Ok(world)
    }

    /// The month of a day; days before the history belong to its first month, days after it to
    /// none.
    pub(super) fn month_of(&mut self, day: Date) -> Option<&mut Month> {
        self.months
            .get_mut(usize::try_from(months_since_start(day).max(0)).ok()?)
    }
}

/// Whole months from the first month of the history to that of a day.
pub(super) fn months_since_start(day: Date) -> i32 {
    let months = |day: Date| i32::from(day.year()) * 12 + i32::from(day.month());
    months(day) - months(START)
}

/// Who a partner is, before its dice are thrown any further.
#[derive(Debug)]
pub(super) struct Cast {
    /// Name of the company.
    pub(super) name: String,
    /// What kind of partner.
    pub(super) kind: PartnerType,
    /// What becomes of it.
    pub(super) course: Course,
    /// Joins in this month.
    pub(super) joins: i32,
    /// Is placed in a higher tier by hand in the end.
    pub(super) pinned: bool,
}

/// The first few are the same for every seed; the others come as they come.
fn cast(number: u16, dice: &mut Dice, names: &mut Names) -> Cast {
    let first = |name: &str, course, pinned| Cast {
        name: name.to_owned(),
        kind: PartnerType::Reseller,
        course,
        joins: 0,
        pinned,
    };
    match number {
        0 => first("Aurora Systems", Course::Story, false),
        1 => first("Cobaltridge Consulting", Course::Solid, true),
        2 => first("Lanternmere Networks", Course::Declining(16), false),
        3 => first("Palisade Integration", Course::Rising, false),
        _ => Cast {
            name: names.partner(),
            kind: match dice.between(1, 100) {
                1..=50 => PartnerType::Reseller,
                51..=68 => PartnerType::Channel,
                69..=86 => PartnerType::Technology,
                _ => PartnerType::Referral,
            },
            course: Course::of(dice),
            joins: if dice.percent(80) {
                0
            } else {
                dice.between(1, 14)
            },
            pinned: false,
        },
    }
}

/// Names that are each given once.
struct Names {
    dice: Dice,
    given: BTreeSet<String>,
}

impl Names {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed, 2),
            given: BTreeSet::new(),
        }
    }

    fn partner(&mut self) -> String {
        self.name(super::words::TRADES)
    }

    fn customer(&mut self) -> Customer {
        let name = self.name(BRANCHES);
        Customer {
            domain: format!("{}.example", slug(&name)),
            name,
        }
    }

    /// There are far more beginnings and endings than names are asked for, so this ends soon.
    fn name(&mut self, last: &[&str]) -> String {
        loop {
            let first = format!("{}{}", self.dice.pick(HEADS), self.dice.pick(TAILS));
            if self.given.insert(first.clone()) {
                return format!("{first} {}", self.dice.pick(last));
            }
        }
    }
}

/// A name as identifier.
pub(super) fn slug(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}
