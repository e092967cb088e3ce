//! What becomes of a partner over the two years.

use super::dice::Dice;

/// The way that a partner takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Hardly any business.
    Quiet,
    /// A little business, all the time.
    Small,
    /// Enough for a middle tier.
    Solid,
    /// Enough for the highest tier.
    Strong,
    /// From little to much.
    Rising,
    /// Much at first, and little from this month on: deals, reviews, renewals.
    Declining(i32),
    /// Enough business, but certifications are not renewed.
    Lapsing,
    /// What texts tell about: the highest tier, reached and lost; little is left to chance.
    Story,
}

/// Month after joining in which the story turns.
const STORY_TURNS: i32 = 11;

/// Name of the attribute that requirements ask for.
pub(super) const SPONSOR: &str = "executive_sponsor";

/// What follows from a course for one partner.
#[derive(Debug)]
pub(super) struct Plan {
    /// The way.
    pub(super) course: Course,
    /// Usual amount of a deal, in US dollars.
    pub(super) deal_size: i32,
    /// Persons who get certified.
    pub(super) people: i32,
    /// Of a hundred certifications that run out, so many are renewed.
    pub(super) renewed: i32,
    /// Customer references in the first year.
    pub(super) references: i32,
    /// Days between two business reviews; none where there are none.
    pub(super) review_days: Option<i32>,
    /// Of a hundred quarters, so many have a campaign.
    pub(super) campaigns: i32,
    /// Validated integrations, of technology partners.
    pub(super) integrations: i32,
    /// Months after joining in which the executive sponsor changes, and to whom.
    pub(super) sponsors: Vec<(i32, &'static str)>,
}

impl Course {
    /// A course as often as it shall be.
    pub(super) fn of(dice: &mut Dice) -> Self {
        match dice.between(1, 100) {
            1..=14 => Self::Quiet,
            15..=40 => Self::Small,
            41..=62 => Self::Solid,
            63..=71 => Self::Strong,
            72..=79 => Self::Rising,
            80..=94 => Self::Declining(dice.between(6, 19)),
            _ => Self::Lapsing,
        }
    }

    /// Deals that are won in a month, in thousandths; `month` counts from joining.
    pub(super) fn pace(self, month: i32) -> i32 {
        match self {
            Self::Quiet => 60,
            Self::Small => 260,
            Self::Solid | Self::Lapsing => 950,
            Self::Strong => 2_000,
            Self::Rising => 200 + 85 * month.min(24),
            Self::Declining(from) if month >= from => 80,
            Self::Declining(_) => 1_700,
            Self::Story if month >= STORY_TURNS => 450,
            Self::Story => 2_400,
        }
    }

    /// Month after joining from which on nobody meets for a review any more.
    pub(super) fn last_review(self) -> i32 {
        match self {
            Self::Declining(from) => from,
            _ => 12 * 100,
        }
    }

    /// The plan of a partner on this course.
    pub(super) fn plan(self, dice: &mut Dice) -> Plan {
        let (deal_size, people, references, review_days, campaigns) = match self {
            Self::Quiet => (dice.between(4, 8), dice.between(0, 1), 0, None, 0),
            Self::Small => (
                dice.between(6, 14),
                dice.between(0, 3),
                dice.between(0, 1),
                None,
                10,
            ),
            Self::Solid | Self::Lapsing => {
                let days = dice.between(110, 160);
                (
                    dice.between(18, 30),
                    dice.between(4, 6),
                    dice.between(2, 4),
                    Some(days),
                    85,
                )
            }
            Self::Strong => {
                let days = dice.between(60, 80);
                (
                    dice.between(40, 55),
                    dice.between(7, 9),
                    dice.between(5, 8),
                    Some(days),
                    100,
                )
            }
            Self::Rising => {
                let days = dice.between(70, 85);
                (
                    dice.between(30, 45),
                    dice.between(6, 8),
                    dice.between(5, 6),
                    Some(days),
                    97,
                )
            }
            Self::Declining(_) => {
                let days = dice.between(65, 85);
                (
                    dice.between(30, 50),
                    dice.between(6, 8),
                    dice.between(4, 7),
                    Some(days),
                    99,
                )
            }
            Self::Story => (48, 7, 6, Some(75), 100),
        };
        Plan {
            course: self,
            deal_size: deal_size * 1_000,
            people,
            renewed: match self {
                Self::Lapsing => 10,
                Self::Declining(_) => 60,
                Self::Story => 100,
                _ => 95,
            },
            references,
            review_days,
            campaigns,
            integrations: people / 2,
            sponsors: self.sponsors(dice),
        }
    }

    fn sponsors(self, dice: &mut Dice) -> Vec<(i32, &'static str)> {
        match self {
            Self::Quiet => Vec::new(),
            Self::Small if dice.percent(80) => Vec::new(),
            Self::Small | Self::Solid | Self::Lapsing => vec![(dice.between(0, 5), "VP")],
            Self::Strong => vec![(dice.between(0, 4), "C-level")],
            Self::Story => vec![(2, "C-level")],
            Self::Rising => vec![(2, "VP"), (dice.between(8, 13), "C-level")],
            Self::Declining(_) if dice.percent(50) => vec![(0, "C-level")],
            Self::Declining(_) => vec![(0, "VP")],
        }
    }
}
