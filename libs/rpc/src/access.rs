//! Which roles may call which method. One row for every method; what has no row is not reachable.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::caller::Role;
use crate::caller::Role::{
    Admin, Auditor, Integration, Operator, PartnerContact, PartnerManager, Viewer,
};

/// Configures the org.
const ADMINS: &[Role] = &[Admin];
/// Works with partners by hand.
const MANAGERS: &[Role] = &[Admin, PartnerManager];
/// Brings data, by hand or from another system.
const WRITERS: &[Role] = &[Admin, PartnerManager, Integration];
/// Brings reference data from another system.
const FEEDS: &[Role] = &[Admin, Integration];
/// Reads anything in the org.
const READERS: &[Role] = &[Admin, PartnerManager, Auditor, Viewer, Integration];
/// Reads what is about one partner; a partner contact is confined to its own.
const READERS_AND_OWN_PARTNER: &[Role] = &[
    Admin,
    PartnerManager,
    Auditor,
    Viewer,
    Integration,
    PartnerContact,
];
/// Reads the evidence of decisions.
const AUDIT_READERS: &[Role] = &[Admin, PartnerManager, Auditor, Viewer];
/// Proves decisions, which is expensive; sees what admins have done.
const AUDITORS: &[Role] = &[Admin, Auditor];
/// Asks what a change of a program would do, which is expensive.
const TRIERS: &[Role] = &[Admin, PartnerManager, Auditor];
/// Runs the system.
const OPERATORS: &[Role] = &[Operator];

/// The table: full method name and who may call it.
pub const TABLE: &[(&str, &[Role])] = &[
    ("tierline.access.v1.ApiKeyService/CreateApiKey", ADMINS),
    ("tierline.access.v1.ApiKeyService/RotateApiKey", ADMINS),
    ("tierline.access.v1.ApiKeyService/RevokeApiKey", ADMINS),
    ("tierline.access.v1.ApiKeyService/GetApiKey", AUDITORS),
    ("tierline.access.v1.ApiKeyService/ListApiKeys", AUDITORS),
    ("tierline.program.v1.OrgService/CreateOrg", ADMINS),
    ("tierline.program.v1.OrgService/GetOrg", READERS),
    ("tierline.program.v1.OrgService/UpdateOrg", ADMINS),
    ("tierline.program.v1.OrgService/AdvanceClock", ADMINS),
    ("tierline.program.v1.ProgramService/CreateProgram", ADMINS),
    ("tierline.program.v1.ProgramService/SaveDraft", ADMINS),
    ("tierline.program.v1.ProgramService/UpdateProgram", ADMINS),
    ("tierline.program.v1.ProgramService/AddTrack", ADMINS),
    ("tierline.program.v1.ProgramService/UpdateTrack", ADMINS),
    ("tierline.program.v1.ProgramService/RemoveTrack", ADMINS),
    ("tierline.program.v1.ProgramService/ReorderTracks", ADMINS),
    ("tierline.program.v1.ProgramService/SeedTracks", ADMINS),
    ("tierline.program.v1.ProgramService/AddTier", ADMINS),
    ("tierline.program.v1.ProgramService/UpdateTier", ADMINS),
    ("tierline.program.v1.ProgramService/RemoveTier", ADMINS),
    ("tierline.program.v1.ProgramService/ReorderTiers", ADMINS),
    ("tierline.program.v1.ProgramService/DiscardDraft", ADMINS),
    ("tierline.program.v1.ProgramService/PublishDraft", ADMINS),
    ("tierline.program.v1.ProgramService/ArchiveProgram", ADMINS),
    ("tierline.program.v1.ProgramService/RestoreProgram", ADMINS),
    ("tierline.program.v1.ProgramService/CopyProgram", ADMINS),
    ("tierline.program.v1.ProgramService/ApplyProgram", ADMINS),
    (
        "tierline.program.v1.ProgramService/ValidateProgram",
        READERS,
    ),
    ("tierline.program.v1.ProgramService/GetProgram", READERS),
    (
        "tierline.program.v1.ProgramService/GetProgramVersion",
        READERS,
    ),
    (
        "tierline.program.v1.ProgramService/ListProgramVersions",
        READERS,
    ),
    (
        "tierline.program.v1.ProgramService/DiffProgramVersions",
        READERS,
    ),
    ("tierline.program.v1.RateService/PublishRates", FEEDS),
    ("tierline.program.v1.RateService/GetRates", READERS),
    ("tierline.program.v1.RateService/ConvertMoney", READERS),
    ("tierline.program.v1.SegmentService/CreateSegment", ADMINS),
    ("tierline.program.v1.SegmentService/UpdateSegment", ADMINS),
    ("tierline.program.v1.SegmentService/GetSegment", READERS),
    ("tierline.program.v1.SegmentService/ArchiveSegment", ADMINS),
    ("tierline.program.v1.SegmentService/RestoreSegment", ADMINS),
    ("tierline.program.v1.SegmentService/SeedSegments", ADMINS),
    ("tierline.program.v1.BadgeService/UploadBadge", ADMINS),
    ("tierline.program.v1.BadgeService/GetBadge", READERS),
    ("tierline.program.v1.BadgeService/ListBadges", READERS),
    ("tierline.program.v1.BenefitService/CreateBenefit", ADMINS),
    ("tierline.program.v1.BenefitService/UpdateBenefit", ADMINS),
    ("tierline.program.v1.BenefitService/GetBenefit", READERS),
    ("tierline.program.v1.BenefitService/ArchiveBenefit", ADMINS),
    ("tierline.program.v1.BenefitService/RestoreBenefit", ADMINS),
    ("tierline.program.v1.BenefitService/SeedBenefits", ADMINS),
    ("tierline.partner.v1.PartnerService/CreatePartner", WRITERS),
    ("tierline.partner.v1.PartnerService/GetPartner", READERS),
    ("tierline.partner.v1.PartnerService/UpdatePartner", WRITERS),
    ("tierline.partner.v1.PartnerService/AddContact", WRITERS),
    ("tierline.partner.v1.PartnerService/UpdateContact", WRITERS),
    ("tierline.partner.v1.PartnerService/RemoveContact", WRITERS),
    (
        "tierline.partner.v1.PartnerService/SetPrimaryContact",
        WRITERS,
    ),
    ("tierline.partner.v1.PartnerService/TagPartner", WRITERS),
    ("tierline.partner.v1.PartnerService/UntagPartner", WRITERS),
    (
        "tierline.partner.v1.PartnerService/ActivatePartner",
        MANAGERS,
    ),
    (
        "tierline.partner.v1.PartnerService/SuspendPartner",
        MANAGERS,
    ),
    (
        "tierline.partner.v1.PartnerService/DeactivatePartner",
        MANAGERS,
    ),
    ("tierline.partner.v1.PartnerService/RecordPartners", WRITERS),
    (
        "tierline.enrollment.v1.EnrollmentService/EnrollPartner",
        WRITERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/GetEnrollment",
        READERS,
    ),
    ("tierline.enrollment.v1.EnrollmentService/PinTier", MANAGERS),
    (
        "tierline.enrollment.v1.EnrollmentService/ClearPin",
        MANAGERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/ExtendEnrollment",
        MANAGERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/TerminateEnrollment",
        MANAGERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/ApproveRecommendation",
        MANAGERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/RejectRecommendation",
        MANAGERS,
    ),
    (
        "tierline.enrollment.v1.EnrollmentService/EnrollPartners",
        WRITERS,
    ),
    ("tierline.activity.v1.DealService/RegisterDeal", WRITERS),
    ("tierline.activity.v1.DealService/GetDeal", READERS),
    ("tierline.activity.v1.DealService/ApproveDeal", MANAGERS),
    ("tierline.activity.v1.DealService/RejectDeal", MANAGERS),
    ("tierline.activity.v1.DealService/WithdrawDeal", WRITERS),
    ("tierline.activity.v1.DealService/WinDeal", WRITERS),
    ("tierline.activity.v1.DealService/LoseDeal", WRITERS),
    ("tierline.activity.v1.DealService/ReopenDeal", WRITERS),
    ("tierline.activity.v1.DealService/AmendDeal", WRITERS),
    ("tierline.activity.v1.DealService/ReverseDeal", WRITERS),
    ("tierline.activity.v1.DealService/RecordDeals", WRITERS),
    (
        "tierline.activity.v1.CertificationService/AwardCertification",
        WRITERS,
    ),
    (
        "tierline.activity.v1.CertificationService/GetCertification",
        READERS,
    ),
    (
        "tierline.activity.v1.CertificationService/RenewCertification",
        WRITERS,
    ),
    (
        "tierline.activity.v1.CertificationService/RevokeCertification",
        WRITERS,
    ),
    (
        "tierline.activity.v1.CertificationService/MarkHolderLeft",
        WRITERS,
    ),
    (
        "tierline.activity.v1.CertificationService/RecordCertifications",
        WRITERS,
    ),
    ("tierline.activity.v1.RecordService/RecordActivity", WRITERS),
    ("tierline.activity.v1.RecordService/GetRecord", READERS),
    ("tierline.activity.v1.RecordService/AmendRecord", WRITERS),
    ("tierline.activity.v1.RecordService/RetractRecord", WRITERS),
    (
        "tierline.activity.v1.RecordService/RecordActivities",
        WRITERS,
    ),
    ("tierline.application.v1.FormService/DefineForm", ADMINS),
    ("tierline.application.v1.FormService/PublishForm", ADMINS),
    ("tierline.application.v1.FormService/GetForm", READERS),
    (
        "tierline.application.v1.SubmissionService/SubmitApplication",
        WRITERS,
    ),
    (
        "tierline.application.v1.SubmissionService/GetSubmission",
        MANAGERS,
    ),
    (
        "tierline.application.v1.SubmissionService/ApproveSubmission",
        MANAGERS,
    ),
    (
        "tierline.application.v1.SubmissionService/RejectSubmission",
        MANAGERS,
    ),
    (
        "tierline.query.v1.PartnerQueryService/ListPartners",
        READERS,
    ),
    (
        "tierline.query.v1.PartnerQueryService/GetPartnerView",
        READERS_AND_OWN_PARTNER,
    ),
    (
        "tierline.query.v1.ProgramQueryService/ListPrograms",
        READERS,
    ),
    (
        "tierline.query.v1.ApplicationQueryService/ListForms",
        READERS,
    ),
    (
        "tierline.query.v1.ApplicationQueryService/ListSubmissions",
        READERS,
    ),
    (
        "tierline.query.v1.SegmentQueryService/ListSegments",
        READERS,
    ),
    (
        "tierline.query.v1.SegmentQueryService/ListSegmentMembers",
        READERS,
    ),
    (
        "tierline.query.v1.SegmentQueryService/ExplainSegments",
        READERS,
    ),
    (
        "tierline.query.v1.BenefitQueryService/ListBenefits",
        READERS,
    ),
    (
        "tierline.query.v1.BenefitQueryService/GetProgramBenefits",
        READERS,
    ),
    (
        "tierline.query.v1.BenefitQueryService/GetPartnerBenefits",
        READERS_AND_OWN_PARTNER,
    ),
    (
        "tierline.query.v1.StandingQueryService/GetStanding",
        READERS_AND_OWN_PARTNER,
    ),
    (
        "tierline.query.v1.StandingQueryService/ListStandings",
        READERS,
    ),
    (
        "tierline.query.v1.AuditService/ListTierHistory",
        AUDIT_READERS,
    ),
    (
        "tierline.query.v1.AuditService/ExplainDecision",
        AUDIT_READERS,
    ),
    ("tierline.query.v1.AuditService/ReplayDecisions", AUDITORS),
    ("tierline.query.v1.WhatIfService/PreviewProgram", TRIERS),
    ("tierline.query.v1.WhatIfService/BacktestProgram", TRIERS),
    (
        "tierline.query.v1.WhatIfService/PreviewPartner",
        AUDIT_READERS,
    ),
    ("tierline.query.v1.OperationsService/GetStatus", OPERATORS),
    ("tierline.query.v1.OperationsService/ListParked", OPERATORS),
    ("tierline.query.v1.OperationsService/RetryParked", OPERATORS),
    ("tierline.query.v1.OperationsService/SkipParked", OPERATORS),
];

/// Methods that no API key opens, whatever its roles: whoever finds a key must not be able to make
/// another one, which would outlive it.
const PEOPLE_ONLY: &[&str] = &[
    "tierline.access.v1.ApiKeyService/CreateApiKey",
    "tierline.access.v1.ApiKeyService/RotateApiKey",
    "tierline.access.v1.ApiKeyService/RevokeApiKey",
];

/// True for a method that an API key does not open.
pub fn people_only(method: &str) -> bool {
    PEOPLE_ONLY.contains(&method)
}

/// Services that answer without a token: probes and tools need them, and they tell nothing about
/// any org.
const PUBLIC: &[(&str, &str)] = &[
    ("grpc.health.v1.Health/", "grpc.health.v1.Health"),
    (
        "grpc.reflection.v1.ServerReflection/",
        "grpc.reflection.v1.ServerReflection",
    ),
    (
        "grpc.reflection.v1alpha.ServerReflection/",
        "grpc.reflection.v1alpha.ServerReflection",
    ),
];

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token. Carries the name of the service.
    Public(&'static str),
    /// Callers with one of the roles. Carries the full name of the method.
    Roles(&'static str, &'static [Role]),
    /// Nobody: there is no such row.
    Denied,
}

static ROWS: LazyLock<HashMap<&'static str, &'static [Role]>> =
    LazyLock::new(|| TABLE.iter().copied().collect());

/// Who may call the method of a request path, `/package.Service/Method`.
pub fn access(path: &str) -> Access {
    let method = path.strip_prefix('/').unwrap_or(path);
    if let Some((name, roles)) = ROWS.get_key_value(method) {
        return Access::Roles(name, roles);
    }
    PUBLIC
        .iter()
        .find(|(prefix, _)| method.starts_with(prefix))
        .map_or(Access::Denied, |(_, service)| Access::Public(service))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;

    use super::*;

    fn methods() -> BTreeSet<String> {
        let files =
            prost_types::FileDescriptorSet::decode(tierline_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut methods = BTreeSet::new();
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    methods.insert(format!(
                        "{}.{}/{}",
                        file.package(),
                        service.name(),
                        method.name()
                    ));
                }
            }
        }
        methods
    }

    #[test]
    fn every_method_has_a_row_and_no_row_is_stale() {
        let rows: BTreeSet<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(
            rows.len(),
            TABLE.len(),
            "a method stands in the table twice"
        );
        assert_eq!(methods(), rows);
    }

    #[test]
    fn every_row_names_a_role() {
        assert!(TABLE.iter().all(|(_, roles)| !roles.is_empty()));
    }

    #[test]
    fn what_has_no_row_is_denied() {
        for path in [
            "",
            "/",
            "/tierline.partner.v1.PartnerService/DropPartners",
            "/tierline.partner.v1.PartnerService/GetPartner/",
            "//tierline.partner.v1.PartnerService/GetPartner",
            "/grpc.health.v1.Healthy/Check",
        ] {
            assert_eq!(access(path), Access::Denied, "{path}");
        }
    }

    #[test]
    fn probes_and_reflection_need_no_token() {
        assert!(matches!(
            access("/grpc.health.v1.Health/Check"),
            Access::Public(_)
        ));
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert!(matches!(access(reflection), Access::Public(_)));
    }

    #[test]
    fn nobody_but_operators_sees_the_system_and_operators_see_no_org() {
        for (method, roles) in TABLE {
            let operations = method.contains("OperationsService");
            assert_eq!(operations, roles.contains(&Operator), "{method}");
        }
    }

    #[test]
    fn partner_contacts_only_read_what_is_confined_to_their_partner() {
        let allowed: Vec<_> = TABLE
            .iter()
            .filter(|(_, roles)| roles.contains(&PartnerContact))
            .map(|(method, _)| *method)
            .collect();
        assert_eq!(
            allowed,
            [
                "tierline.query.v1.PartnerQueryService/GetPartnerView",
                "tierline.query.v1.BenefitQueryService/GetPartnerBenefits",
                "tierline.query.v1.StandingQueryService/GetStanding",
            ]
        );
    }

    #[test]
    fn no_method_that_changes_keys_is_open_to_them() {
        for (method, _) in TABLE {
            let keys = method.contains("ApiKeyService");
            let reads = method.contains("/Get") || method.contains("/List");
            assert_eq!(people_only(method), keys && !reads, "{method}");
        }
        assert!(
            PEOPLE_ONLY
                .iter()
                .all(|known| TABLE.iter().any(|(m, _)| m == known))
        );
    }

    #[test]
    fn readers_change_nothing() {
        for (method, roles) in TABLE {
            let name = method.rsplit('/').next().unwrap();
            let reads = [
                "Get", "List", "Diff", "Validate", "Convert", "Explain", "Replay", "Preview",
                "Backtest",
            ]
            .iter()
            .any(|verb| name.starts_with(verb));
            if !reads {
                assert!(
                    !roles.contains(&Viewer) && !roles.contains(&Auditor),
                    "{method}"
                );
            }
        }
    }
}
