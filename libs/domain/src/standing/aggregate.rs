//! The state of a standing, folded from its events. It takes no commands: the tier evaluator
//! writes what [`super::assess()`] decides.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing};
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::rejection::Rejection;
use crate::standing::events::{Direction, Ending, Progress, StandingEvent, TierSource};

/// Most tiers that a standing remembers; beyond that the earliest are forgotten.
pub const MAX_TIERS_REMEMBERED: usize = 200;

/// Where an enrollment stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The enrollment, once open.
    pub enrollment: Option<EnrollmentId>,
    /// The partner, once open.
    pub partner: Option<PartnerId>,
    /// The program, once open.
    pub program: Option<ProgramId>,
    /// The track, once open.
    pub track: Option<TrackId>,
    /// The present tier, once open.
    pub tier: Option<TierId>,
    /// Since when the present tier is held.
    pub tier_since: Date,
    /// The tiers that were held, the earliest first, each with its first day; the last one is the
    /// present tier. At most [`MAX_TIERS_REMEMBERED`].
    #[serde(default)]
    pub tiers: Vec<(TierId, Date)>,
    /// What decides the tier.
    pub source: TierSource,
    /// The demotion process, while one runs.
    pub process: Option<Process>,
    /// What is recommended to a person at present.
    pub recommended: Option<Recommended>,
    /// How many recommendations were ever made.
    pub recommendations: u32,
    /// A recommendation that a person refused; not repeated while its reason lasts.
    pub refused: Option<TierId>,
    /// The path to earn a lost tier again: the tier and the last day.
    pub requalification: Option<(TierId, Date)>,
    /// The last known values.
    pub progress: Option<Progress>,
    /// Date of the last event.
    pub last_as_of: Date,
    /// How it ended, once it has.
    pub closed: Option<Ending>,
    /// True after an event of a type that this release does not know.
    pub unreadable: bool,
}

/// A demotion process that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The tier at risk.
    pub tier: TierId,
    /// The day on which the requirement was found unmet.
    pub since: Date,
    /// First day of the remediation.
    pub notice_ends: Date,
    /// The day of the demotion if nothing changes.
    pub remediation_ends: Date,
    /// True once the remediation has begun.
    pub in_remediation: bool,
}

/// A recommendation that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommended {
    /// Number of the recommendation within the standing.
    pub number: u32,
    /// Up or down.
    pub direction: Direction,
    /// The recommended tier.
    pub to: TierId,
    /// Since when.
    pub since: Date,
}

impl Standing {
    /// True from the first event to the last.
    pub fn is_open(&self) -> bool {
        self.tier.is_some() && self.closed.is_none()
    }

    fn moved(&mut self, tier: &TierId, since: Date, source: TierSource) {
        self.tier = Some(tier.clone());
        self.tier_since = since;
        if self.tiers.len() == MAX_TIERS_REMEMBERED {
            self.tiers.remove(0);
        }
        self.tiers.push((tier.clone(), since));
        self.source = source;
        self.process = None;
        self.recommended = None;
        self.refused = None;
        if self
            .requalification
            .as_ref()
            .is_some_and(|(lost, _)| lost == tier)
        {
            self.requalification = None;
        }
    }
}

/// A standing takes no commands.
#[derive(Debug, Clone)]
pub enum NoCommand {}

impl Decide for Standing {
    type Command = NoCommand;
    type Event = StandingEvent;

    fn decide(&self, command: NoCommand) -> Result<Vec<StandingEvent>, Rejection> {
        match command {}
    }

    fn evolve(&mut self, event: &StandingEvent) {
        if let Some(as_of) = event.as_of() {
            self.last_as_of = as_of;
        }
        match event {
            StandingEvent::StandingOpened(opened) => {
                self.enrollment = Some(opened.enrollment.clone());
                self.partner = Some(opened.partner.clone());
                self.program = Some(opened.program.clone());
                self.track = Some(opened.track.clone());
                self.moved(&opened.tier, opened.since, opened.source);
            }
            StandingEvent::ProgressRecomputed(progress) => self.progress = Some(progress.clone()),
            StandingEvent::TierChanged(change) => {
                self.moved(&change.to, change.as_of, change.source);
            }
            StandingEvent::PromotionRecommended(recommendation)
            | StandingEvent::DemotionRecommended(recommendation) => {
                self.recommendations = recommendation.number;
                let up = matches!(event, StandingEvent::PromotionRecommended(_));
                self.recommended = Some(Recommended {
                    number: recommendation.number,
                    direction: if up {
                        Direction::Promotion
                    } else {
                        Direction::Demotion
                    },
                    to: recommendation.to.clone(),
                    since: recommendation.as_of,
                });
            }
            StandingEvent::RecommendationWithdrawn(withdrawn) => {
                self.recommended = None;
                self.refused = withdrawn.refused.then(|| withdrawn.to.clone());
            }
            StandingEvent::DemotionNoticeIssued(notice) => {
                self.process = Some(Process {
                    tier: notice.tier.clone(),
                    since: notice.as_of,
                    notice_ends: notice.notice_ends,
                    remediation_ends: notice.remediation_ends,
                    in_remediation: false,
                });
            }
            StandingEvent::RemediationStarted(_) => {
                if let Some(process) = &mut self.process {
                    process.in_remediation = true;
                }
            }
            StandingEvent::RecoveryRecorded(_) => self.process = None,
            StandingEvent::RequalificationPathOpened(path) => {
                self.requalification = Some((path.tier.clone(), path.until));
            }
            StandingEvent::PinReleased(_) => self.source = TierSource::Automatic,
            StandingEvent::StandingClosed(closed) => {
                self.closed = Some(closed.cause);
                self.process = None;
                self.recommended = None;
            }
            StandingEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

crate::aggregate!(Standing, "Standing");

impl Entity for Standing {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }
}
