//! Which events may leave the database with their content.
//!
//! What is handed to a message bus is kept by somebody else, for as long as they like, and cannot
//! be called back. So an event travels with its content only if its type stands here: names,
//! addresses and free words of people stay where they can be erased. All other events travel as a
//! reference, and whoever may read the log reads them there.

/// Types without a field for a person or for free words about one. Names of companies and deals
/// are in them.
const WITHOUT_PEOPLE: [&str; 20] = [
    "tierline.activity.v1.CertificationRenewed",
    "tierline.activity.v1.DealApproved",
    "tierline.activity.v1.DealImported",
    "tierline.activity.v1.DealRegistered",
    "tierline.activity.v1.DealWon",
    "tierline.enrollment.v1.Enrolled",
    "tierline.enrollment.v1.EnrollmentExpired",
    "tierline.enrollment.v1.EnrollmentExtended",
    "tierline.standing.v1.DemotionNoticeIssued",
    "tierline.standing.v1.DemotionRecommended",
    "tierline.standing.v1.PinReleased",
    "tierline.standing.v1.ProgressRecomputed",
    "tierline.standing.v1.PromotionRecommended",
    "tierline.standing.v1.RecommendationWithdrawn",
    "tierline.standing.v1.RecoveryRecorded",
    "tierline.standing.v1.RemediationStarted",
    "tierline.standing.v1.RequalificationPathOpened",
    "tierline.standing.v1.StandingClosed",
    "tierline.standing.v1.StandingOpened",
    "tierline.standing.v1.TierChanged",
];

/// True for event types that may be handed on with their content.
pub fn may_travel(event_type: &str) -> bool {
    WITHOUT_PEOPLE.binary_search(&event_type).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_what_is_not_on_it_stays() {
        assert!(WITHOUT_PEOPLE.is_sorted());
        for event_type in WITHOUT_PEOPLE {
            assert!(may_travel(event_type));
        }
        for event_type in [
            "tierline.partner.v1.ContactAdded",
            "tierline.partner.v1.PartnerCreated",
            "tierline.activity.v1.CertificationAwarded",
            "somebody.else.v1.Thing",
        ] {
            assert!(!may_travel(event_type), "{event_type}");
        }
    }
}
