//! One example request for every method of the contract. A method without one fails the matrix.
//!
//! Requests are in the text format of Protocol Buffers. `$` stands for the org whose things are
//! meant: `a` or `b`; in requests about nothing that exists, `zz`. `<name>` stands for the
//! identifier of the API key of that name, or of the submission to the form of that name, which the
//! server has made.

/// What a request is about, and so what somebody of another org gets to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Things that it names: those of another org do not exist.
    Named,
    /// Whatever belongs to a thing: nothing does to one of another org.
    Selection,
    /// Rows that name things: each row about a thing of another org is refused.
    Rows,
    /// The org of the caller: another one cannot even be asked for.
    Own,
    /// The cell: no org at all.
    Cell,
}

/// An example request of a method.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// `package.Service/Method`.
    pub method: &'static str,
    /// What it is about.
    pub about: About,
    /// What has to be there before: requests of an admin.
    pub given: &'static [(&'static str, &'static str)],
    /// The request.
    pub request: &'static str,
    /// The code of the answer to whoever may ask.
    pub answer: &'static str,
}

const fn named(method: &'static str, request: &'static str) -> Example {
    Example {
        method,
        about: About::Named,
        given: &[],
        request,
        answer: "OK",
    }
}

const fn own(method: &'static str, request: &'static str) -> Example {
    Example {
        about: About::Own,
        ..named(method, request)
    }
}

const fn selection(method: &'static str, request: &'static str) -> Example {
    Example {
        about: About::Selection,
        ..named(method, request)
    }
}

const fn rows(method: &'static str, request: &'static str) -> Example {
    Example {
        about: About::Rows,
        ..named(method, request)
    }
}

const fn cell(method: &'static str, request: &'static str, answer: &'static str) -> Example {
    Example {
        about: About::Cell,
        answer,
        ..named(method, request)
    }
}

impl Example {
    const fn answering(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }

    const fn given(self, given: &'static [(&'static str, &'static str)]) -> Self {
        Self { given, ..self }
    }
}

const CREATE_KEY: &str = "tierline.access.v1.ApiKeyService/CreateApiKey";
const REGISTER: &str = "tierline.activity.v1.DealService/RegisterDeal";
const APPROVE: &str = "tierline.activity.v1.DealService/ApproveDeal";
const WIN: &str = "tierline.activity.v1.DealService/WinDeal";
const LOSE: &str = "tierline.activity.v1.DealService/LoseDeal";
const AWARD: &str = "tierline.activity.v1.CertificationService/AwardCertification";
const RECORD: &str = "tierline.activity.v1.RecordService/RecordActivity";
const CREATE_PARTNER: &str = "tierline.partner.v1.PartnerService/CreatePartner";
const SUSPEND: &str = "tierline.partner.v1.PartnerService/SuspendPartner";
const ADD_CONTACT: &str = "tierline.partner.v1.PartnerService/AddContact";
const TAG: &str = "tierline.partner.v1.PartnerService/TagPartner";
const ENROLL: &str = "tierline.enrollment.v1.EnrollmentService/EnrollPartner";
const PIN: &str = "tierline.enrollment.v1.EnrollmentService/PinTier";
const CREATE_PROGRAM: &str = "tierline.program.v1.ProgramService/CreateProgram";
const SAVE_DRAFT: &str = "tierline.program.v1.ProgramService/SaveDraft";
const APPLY: &str = "tierline.program.v1.ProgramService/ApplyProgram";

macro_rules! partner {
    ($id:literal) => {
        concat!(
            "partner_id: \"",
            $id,
            "\" partner { name: \"Secrets of $\" domain: \"",
            $id,
            ".example\" partner_type: PARTNER_TYPE_RESELLER status: PARTNER_STATUS_ACTIVE } ",
            "primary_contact { first_name: \"Ada\" last_name: \"Byron\" email: \"ada@",
            $id,
            ".example\" }"
        )
    };
}

macro_rules! deal {
    ($id:literal) => {
        concat!(
            "deal_id: \"",
            $id,
            "\" partner_id: \"$-one\" name: \"Secrets of $\" ",
            "customer { name: \"Globex\" domain: \"",
            $id,
            ".example\" } ",
            "amount { amount: \"1250.00\" currency_code: \"EUR\" } ",
            "source: DEAL_SOURCE_PARTNER_SOURCED"
        )
    };
}

macro_rules! certification {
    ($id:literal) => {
        concat!(
            "certification_id: \"",
            $id,
            "\" partner_id: \"$-one\" name: \"Secrets of $\" ",
            "holder { person: \"p-7\" name: \"Ada\" email: \"ada@$-one.example\" } ",
            "expires_date: \"2027-03-31\""
        )
    };
}

macro_rules! segment {
    ($id:literal) => {
        concat!(
            "segment { segment_id: \"",
            $id,
            "\" name: \"Secrets of $\" family: SEGMENT_FAMILY_MARKET ",
            "filter { field { name: \"type\" test { equals { text: \"reseller\" } } } } }"
        )
    };
}

macro_rules! benefit {
    ($id:literal) => {
        concat!(
            "benefit { benefit_id: \"",
            $id,
            "\" name: \"Secrets of $ ",
            $id,
            "\" type: BENEFIT_TYPE_DAYS }"
        )
    };
}

macro_rules! record {
    ($id:literal) => {
        concat!(
            "record_id: \"",
            $id,
            "\" partner_id: \"$-one\" activity { kind: \"review\" ",
            "title: \"Secrets of $\" held_date: \"2025-12-20\" quantity: \"4.5\" }"
        )
    };
}

const CREATE_SEGMENT: &str = "tierline.program.v1.SegmentService/CreateSegment";
const ARCHIVE_SEGMENT: &str = "tierline.program.v1.SegmentService/ArchiveSegment";
const UPLOAD_BADGE: &str = "tierline.program.v1.BadgeService/UploadBadge";

/// The beginning of a PNG, which is all that is looked at; `$width` is an octal digit.
macro_rules! badge {
    ($width:literal) => {
        concat!(
            r#"image: "\211PNG\015\012\032\012\000\000\000\015IHDR\000\000\000\1"#,
            $width,
            r#"0\000\000\000\100\010\006\000\000\000""#
        )
    };
}

const CREATE_BENEFIT: &str = "tierline.program.v1.BenefitService/CreateBenefit";
const ARCHIVE_BENEFIT: &str = "tierline.program.v1.BenefitService/ArchiveBenefit";
const DEFINE_FORM: &str = "tierline.application.v1.FormService/DefineForm";
const PUBLISH_FORM: &str = "tierline.application.v1.FormService/PublishForm";
const SUBMIT: &str = "tierline.application.v1.SubmissionService/SubmitApplication";

/// A small form.
macro_rules! form {
    ($id:literal) => {
        concat!(
            "content { form: \"",
            $id,
            "\" title: \"Secrets of $\" sections { id: \"who\" title: \"Who\" ",
            "fields { id: \"why\" label: \"Why\" type: FIELD_TYPE_TEXT } } }"
        )
    };
}

/// An application to a form of its own.
macro_rules! submitted {
    ($id:literal) => {
        &[
            (DEFINE_FORM, form!($id)),
            (PUBLISH_FORM, concat!("form_id: \"", $id, "\"")),
            (SUBMIT, concat!("form_id: \"", $id, "\"")),
        ]
    };
}

/// A small program.
macro_rules! program {
    ($id:literal) => {
        concat!(
            "yaml: \"slug: ",
            $id,
            "\\nname: Secrets of $\\ncurrency: EUR\\ntracks:\\n",
            "  - id: main\\n    name: Main\\n    tiers:\\n      - id: member\\n        ",
            "name: Member\\n\""
        )
    };
}

/// A partner that takes part and has won a deal, so that a tier is recommended for it.
macro_rules! recommended {
    ($id:literal) => {
        &[
            (CREATE_PARTNER, partner!($id)),
            (
                ENROLL,
                concat!(
                    "enrollment_id: \"",
                    $id,
                    "\" partner_id: \"",
                    $id,
                    "\" program_id: \"$-prog\" track_id: \"main\""
                ),
            ),
            (
                REGISTER,
                concat!(
                    "deal_id: \"",
                    $id,
                    "\" partner_id: \"",
                    $id,
                    "\" name: \"Deal\" ",
                    "customer { name: \"Globex\" domain: \"",
                    $id,
                    ".example\" } ",
                    "amount { amount: \"1\" currency_code: \"EUR\" }"
                ),
            ),
            (WIN, concat!("deal_id: \"", $id, "\"")),
        ]
    };
}

/// What every org of the matrix has: a program that recommends, two partners that take part, a won
/// deal of the first, and rates.
pub const WORLD: &[(&str, &str)] = &[
    (
        "tierline.program.v1.OrgService/CreateOrg",
        r#"name: "Secrets of $" sandbox_start_date: "2026-01-01" base_currency_code: "EUR""#,
    ),
    (
        APPLY,
        r#"yaml: "slug: $-prog\nname: Secrets of $\ncurrency: EUR\ntracks:\n  - id: main\n    name: Main\n    promotion: {mode: recommend}\n    tiers:\n      - id: gold\n        name: Gold\n        qualification:\n          criterion:\n            id: deals\n            name: Deals\n            measure: {count: {facts: {kind: deal, date: closed, window: {rolling_months: 12}}}}\n            needs: {gte: 1}\n      - id: member\n        name: Member\n" effective_date: "2025-01-01""#,
    ),
    (CREATE_PARTNER, partner!("$-one")),
    (CREATE_PARTNER, partner!("$-other")),
    (
        ENROLL,
        r#"enrollment_id: "$-e" partner_id: "$-one" program_id: "$-prog" track_id: "main""#,
    ),
    (
        ENROLL,
        r#"enrollment_id: "$-e-other" partner_id: "$-other" program_id: "$-prog" track_id: "main""#,
    ),
    (REGISTER, deal!("$-won")),
    (WIN, r#"deal_id: "$-won""#),
    (
        "tierline.program.v1.RateService/PublishRates",
        r#"source: "Secrets of $" base_currency_code: "EUR" days { rate_date: "2025-12-31" rates { key: "USD" value: "1.10" } }"#,
    ),
];

/// The examples, in the order of the contract.
pub const EXAMPLES: &[Example] = &[
    // access
    own(CREATE_KEY, r#"name: "$-key" roles: "viewer""#),
    named("tierline.access.v1.ApiKeyService/RotateApiKey", r#"key_id: "<$-rotated>""#)
        .given(&[(CREATE_KEY, r#"name: "$-rotated" roles: "viewer""#)]),
    named(
        "tierline.access.v1.ApiKeyService/RevokeApiKey",
        r#"key_id: "<$-revoked>" reason: "lost""#,
    )
    .given(&[(CREATE_KEY, r#"name: "$-revoked" roles: "viewer""#)]),
    named("tierline.access.v1.ApiKeyService/GetApiKey", r#"key_id: "<$-shown>""#)
        .given(&[(CREATE_KEY, r#"name: "$-shown" roles: "viewer""#)]),
    own("tierline.access.v1.ApiKeyService/ListApiKeys", ""),
    // activity
    named(REGISTER, deal!("$-registered")),
    named("tierline.activity.v1.DealService/GetDeal", r#"deal_id: "$-won""#),
    named(APPROVE, r#"deal_id: "$-approved""#).given(&[(REGISTER, deal!("$-approved"))]),
    named(
        "tierline.activity.v1.DealService/RejectDeal",
        r#"deal_id: "$-rejected" reason: "no""#,
    )
    .given(&[(REGISTER, deal!("$-rejected"))]),
    named(
        "tierline.activity.v1.DealService/WithdrawDeal",
        r#"deal_id: "$-withdrawn" reason: "no""#,
    )
    .given(&[(REGISTER, deal!("$-withdrawn"))]),
    named(WIN, r#"deal_id: "$-winning""#).given(&[(REGISTER, deal!("$-winning"))]),
    named(LOSE, r#"deal_id: "$-losing" reason: "price""#)
        .given(&[(REGISTER, deal!("$-losing"))]),
    named(
        "tierline.activity.v1.DealService/ReopenDeal",
        r#"deal_id: "$-reopened" reason: "again""#,
    )
    .given(&[
        (REGISTER, deal!("$-reopened")),
        (LOSE, r#"deal_id: "$-reopened" reason: "price""#),
    ]),
    named(
        "tierline.activity.v1.DealService/AmendDeal",
        r#"deal_id: "$-amended" record { name: "Other" }"#,
    )
    .given(&[(REGISTER, deal!("$-amended"))]),
    named(
        "tierline.activity.v1.DealService/ReverseDeal",
        r#"deal_id: "$-reversed" reason: "credit note" amount { amount: "10" currency_code: "EUR" }"#,
    )
    .given(&[(REGISTER, deal!("$-reversed")), (WIN, r#"deal_id: "$-reversed""#)]),
    rows(
        "tierline.activity.v1.DealService/RecordDeals",
        r#"rows { row: 1 deal_id: "$-bulk" partner_id: "$-one" record { name: "Deal" state: DEAL_STATE_REGISTERED } }"#,
    ),
    named(AWARD, certification!("$-awarded")),
    named(
        "tierline.activity.v1.CertificationService/GetCertification",
        r#"certification_id: "$-shown""#,
    )
    .given(&[(AWARD, certification!("$-shown"))]),
    named(
        "tierline.activity.v1.CertificationService/RenewCertification",
        r#"certification_id: "$-renewed" expires_date: "2028-03-31""#,
    )
    .given(&[(AWARD, certification!("$-renewed"))]),
    named(
        "tierline.activity.v1.CertificationService/RevokeCertification",
        r#"certification_id: "$-revoked" reason: "fraud""#,
    )
    .given(&[(AWARD, certification!("$-revoked"))]),
    named(
        "tierline.activity.v1.CertificationService/MarkHolderLeft",
        r#"certification_id: "$-left""#,
    )
    .given(&[(AWARD, certification!("$-left"))]),
    rows(
        "tierline.activity.v1.CertificationService/RecordCertifications",
        r#"rows { row: 1 certification_id: "$-bulk" partner_id: "$-one" record { name: "C" holder { person: "p-8" } awarded_date: "2025-12-01" } }"#,
    ),
    named(RECORD, record!("$-recorded")),
    named("tierline.activity.v1.RecordService/GetRecord", r#"record_id: "$-shown""#)
        .given(&[(RECORD, record!("$-shown"))]),
    named(
        "tierline.activity.v1.RecordService/AmendRecord",
        r#"record_id: "$-amended" activity { title: "Other" }"#,
    )
    .given(&[(RECORD, record!("$-amended"))]),
    named(
        "tierline.activity.v1.RecordService/RetractRecord",
        r#"record_id: "$-retracted" reason: "twice""#,
    )
    .given(&[(RECORD, record!("$-retracted"))]),
    rows(
        "tierline.activity.v1.RecordService/RecordActivities",
        r#"rows { row: 1 record_id: "$-bulk" partner_id: "$-one" activity { kind: "review" title: "T" held_date: "2025-12-01" } }"#,
    ),
    // enrollment
    named(
        ENROLL,
        r#"enrollment_id: "$-enrolled" partner_id: "$-enrolling" program_id: "$-prog" track_id: "main""#,
    )
    .given(&[(CREATE_PARTNER, partner!("$-enrolling"))]),
    named(
        "tierline.enrollment.v1.EnrollmentService/GetEnrollment",
        r#"enrollment_id: "$-e""#,
    ),
    named(PIN, r#"enrollment_id: "$-pinned" tier_id: "gold" reason: "friend""#)
        .given(recommended!("$-pinned")),
    named(
        "tierline.enrollment.v1.EnrollmentService/ClearPin",
        r#"enrollment_id: "$-unpinned" reason: "no friend""#,
    )
    .given(&[
        (CREATE_PARTNER, partner!("$-unpinned")),
        (
            ENROLL,
            r#"enrollment_id: "$-unpinned" partner_id: "$-unpinned" program_id: "$-prog" track_id: "main""#,
        ),
        (PIN, r#"enrollment_id: "$-unpinned" tier_id: "gold" reason: "friend""#),
    ]),
    named(
        "tierline.enrollment.v1.EnrollmentService/ExtendEnrollment",
        r#"enrollment_id: "$-extended" end_date: "2030-01-01""#,
    )
    .given(&[
        (CREATE_PARTNER, partner!("$-extended")),
        (
            ENROLL,
            r#"enrollment_id: "$-extended" partner_id: "$-extended" program_id: "$-prog" track_id: "main" end_date: "2028-01-01""#,
        ),
    ]),
    named(
        "tierline.enrollment.v1.EnrollmentService/TerminateEnrollment",
        r#"enrollment_id: "$-ended" reason: "over""#,
    )
    .given(recommended!("$-ended")),
    named(
        "tierline.enrollment.v1.EnrollmentService/ApproveRecommendation",
        r#"enrollment_id: "$-risen" recommendation: 1 tier_id: "gold""#,
    )
    .given(recommended!("$-risen")),
    named(
        "tierline.enrollment.v1.EnrollmentService/RejectRecommendation",
        r#"enrollment_id: "$-kept" recommendation: 1 tier_id: "gold" note: "no""#,
    )
    .given(recommended!("$-kept")),
    rows(
        "tierline.enrollment.v1.EnrollmentService/EnrollPartners",
        r#"rows { row: 1 enrollment_id: "$-bulk" partner_id: "$-bulk-enrolling" program_id: "$-prog" track_id: "main" }"#,
    )
    .given(&[(CREATE_PARTNER, partner!("$-bulk-enrolling"))]),
    // partner
    own(CREATE_PARTNER, partner!("$-created")),
    named("tierline.partner.v1.PartnerService/GetPartner", r#"partner_id: "$-one""#),
    named(
        "tierline.partner.v1.PartnerService/UpdatePartner",
        r#"partner { partner_id: "$-one" region: "EMEA" }"#,
    ),
    named(
        ADD_CONTACT,
        r#"partner_id: "$-one" contact { first_name: "Bob" last_name: "B" email: "bob@$-one.example" }"#,
    ),
    named(
        "tierline.partner.v1.PartnerService/UpdateContact",
        r#"partner_id: "$-people" contact { contact_id: "c1" first_name: "Ada" last_name: "King" email: "ada@$-people.example" }"#,
    )
    .given(&[
        (CREATE_PARTNER, partner!("$-people")),
        (
            ADD_CONTACT,
            r#"partner_id: "$-people" contact { first_name: "Bob" last_name: "B" email: "bob@$-people.example" }"#,
        ),
        (
            ADD_CONTACT,
            r#"partner_id: "$-people" contact { first_name: "Cy" last_name: "C" email: "cy@$-people.example" }"#,
        ),
    ]),
    named(
        "tierline.partner.v1.PartnerService/RemoveContact",
        r#"partner_id: "$-people" contact_id: "c3""#,
    ),
    named(
        "tierline.partner.v1.PartnerService/SetPrimaryContact",
        r#"partner_id: "$-people" contact_id: "c2""#,
    ),
    named(TAG, r#"partner_id: "$-one" tags: "emea""#),
    named(
        "tierline.partner.v1.PartnerService/UntagPartner",
        r#"partner_id: "$-tagged" tags: "emea""#,
    )
    .given(&[
        (CREATE_PARTNER, partner!("$-tagged")),
        (TAG, r#"partner_id: "$-tagged" tags: "emea""#),
    ]),
    named(
        "tierline.partner.v1.PartnerService/ActivatePartner",
        r#"partner_id: "$-back" reason: "paid""#,
    )
    .given(&[
        (CREATE_PARTNER, partner!("$-back")),
        (SUSPEND, r#"partner_id: "$-back" reason: "unpaid""#),
    ]),
    named(SUSPEND, r#"partner_id: "$-suspended" reason: "unpaid""#)
        .given(&[(CREATE_PARTNER, partner!("$-suspended"))]),
    named(
        "tierline.partner.v1.PartnerService/DeactivatePartner",
        r#"partner_id: "$-gone" reason: "over""#,
    )
    .given(&[(CREATE_PARTNER, partner!("$-gone"))]),
    own(
        "tierline.partner.v1.PartnerService/RecordPartners",
        r#"rows { row: 1 partner { partner_id: "$-bulk" name: "Bulk" domain: "$-bulk.example" partner_type: PARTNER_TYPE_RESELLER } primary_contact { first_name: "A" last_name: "B" email: "a@$-bulk.example" } }"#,
    ),
    // program
    own(
        "tierline.program.v1.OrgService/CreateOrg",
        r#"name: "Secrets of $" sandbox_start_date: "2026-01-01""#,
    )
    .answering("ALREADY_EXISTS"),
    own("tierline.program.v1.OrgService/GetOrg", ""),
    own("tierline.program.v1.OrgService/UpdateOrg", r#"name: "Secrets of $, again""#),
    own("tierline.program.v1.OrgService/AdvanceClock", r#"to_date: "2026-01-02""#),
    own(CREATE_PROGRAM, r#"program_id: "$-new" name: "New""#),
    named(SAVE_DRAFT, program!("$-drafted"))
        .given(&[(CREATE_PROGRAM, r#"program_id: "$-drafted" name: "Drafted""#)]),
    named(
        "tierline.program.v1.ProgramService/UpdateProgram",
        r#"program_id: "$-edited" program { name: "Secrets of $" description: "More" }"#,
    )
    .given(&[(APPLY, program!("$-edited"))]),
    named(
        "tierline.program.v1.ProgramService/AddTrack",
        r#"program_id: "$-tracked" track { id: "side" name: "Side" }"#,
    )
    .given(&[(APPLY, program!("$-tracked"))]),
    named(
        "tierline.program.v1.ProgramService/UpdateTrack",
        r#"program_id: "$-retracked" track_id: "main" track { name: "Secrets of $" }"#,
    )
    .given(&[(APPLY, program!("$-retracked"))]),
    named(
        "tierline.program.v1.ProgramService/RemoveTrack",
        r#"program_id: "$-trackless" track_id: "main""#,
    )
    .given(&[(APPLY, program!("$-trackless"))]),
    named(
        "tierline.program.v1.ProgramService/ReorderTracks",
        r#"program_id: "$-tracksorted" track_ids: "main""#,
    )
    .given(&[(APPLY, program!("$-tracksorted"))]),
    named("tierline.program.v1.ProgramService/SeedTracks", r#"program_id: "$-seeded""#)
        .given(&[(CREATE_PROGRAM, r#"program_id: "$-seeded" name: "Seeded""#)]),
    named(
        "tierline.program.v1.ProgramService/AddTier",
        r#"program_id: "$-tiered" track_id: "main" tier { id: "gold" name: "Gold" } position: 0"#,
    )
    .given(&[(APPLY, program!("$-tiered"))]),
    named(
        "tierline.program.v1.ProgramService/UpdateTier",
        r#"program_id: "$-retiered" track_id: "main" tier_id: "member" tier { name: "Secrets of $" }"#,
    )
    .given(&[(APPLY, program!("$-retiered"))]),
    named(
        "tierline.program.v1.ProgramService/RemoveTier",
        r#"program_id: "$-tierless" track_id: "main" tier_id: "member""#,
    )
    .given(&[(APPLY, program!("$-tierless"))]),
    named(
        "tierline.program.v1.ProgramService/ReorderTiers",
        r#"program_id: "$-tiersorted" track_id: "main" tier_ids: "member""#,
    )
    .given(&[(APPLY, program!("$-tiersorted"))]),
    named(
        "tierline.program.v1.ProgramService/DiscardDraft",
        r#"program_id: "$-discarded""#,
    )
    .given(&[(APPLY, program!("$-discarded"))]),
    named(
        "tierline.program.v1.ProgramService/PublishDraft",
        r#"program_id: "$-published" effective_date: "2026-01-01""#,
    )
    .given(&[
        (CREATE_PROGRAM, r#"program_id: "$-published" name: "Published""#),
        (SAVE_DRAFT, program!("$-published")),
    ]),
    named(
        "tierline.program.v1.ProgramService/ArchiveProgram",
        r#"program_id: "$-archived""#,
    )
    .given(&[(APPLY, program!("$-archived"))]),
    named(
        "tierline.program.v1.ProgramService/RestoreProgram",
        r#"program_id: "$-restored""#,
    )
    .given(&[(APPLY, program!("$-restored"))]),
    named(
        "tierline.program.v1.ProgramService/CopyProgram",
        r#"source_program_id: "$-copied" program_id: "$-copy" name: "Secrets of $""#,
    )
    .given(&[(APPLY, program!("$-copied"))]),
    own(APPLY, program!("$-applied")),
    own("tierline.program.v1.ProgramService/ValidateProgram", program!("$-valid")),
    named("tierline.program.v1.ProgramService/GetProgram", r#"program_id: "$-prog""#),
    named(
        "tierline.program.v1.ProgramService/GetProgramVersion",
        r#"program_id: "$-prog" version: 1"#,
    ),
    named(
        "tierline.program.v1.ProgramService/ListProgramVersions",
        r#"program_id: "$-prog""#,
    ),
    named(
        "tierline.program.v1.ProgramService/DiffProgramVersions",
        r#"program_id: "$-prog" from_version: 1"#,
    ),
    own(
        "tierline.program.v1.RateService/PublishRates",
        r#"source: "Secrets of $" base_currency_code: "EUR" days { rate_date: "2026-01-01" rates { key: "USD" value: "1.20" } }"#,
    ),
    own("tierline.program.v1.RateService/GetRates", ""),
    own(
        "tierline.program.v1.RateService/ConvertMoney",
        r#"money { amount: "1" currency_code: "EUR" } to_currency_code: "USD""#,
    ),
    own(CREATE_SEGMENT, segment!("$-created")),
    named(
        "tierline.program.v1.SegmentService/UpdateSegment",
        r#"segment { segment_id: "$-edited" description: "Any" }"#,
    )
    .given(&[(CREATE_SEGMENT, segment!("$-edited"))]),
    named(
        "tierline.program.v1.SegmentService/GetSegment",
        r#"segment_id: "$-shown""#,
    )
    .given(&[(CREATE_SEGMENT, segment!("$-shown"))]),
    named(ARCHIVE_SEGMENT, r#"segment_id: "$-archived""#)
        .given(&[(CREATE_SEGMENT, segment!("$-archived"))]),
    named(
        "tierline.program.v1.SegmentService/RestoreSegment",
        r#"segment_id: "$-restored""#,
    )
    .given(&[
        (CREATE_SEGMENT, segment!("$-restored")),
        (ARCHIVE_SEGMENT, r#"segment_id: "$-restored""#),
    ]),
    own("tierline.program.v1.SegmentService/SeedSegments", ""),
    own(UPLOAD_BADGE, badge!("0")),
    // Named by its bytes, so that each org has one of this name.
    own(
        "tierline.program.v1.BadgeService/GetBadge",
        concat!(
            r#"badge: "sha256:fc03fbdfd648e2398429169aae01865e"#,
            r#"5424544fe2a271de9774187e2b689473""#
        ),
    )
    .given(&[(UPLOAD_BADGE, badge!("1"))]),
    own("tierline.program.v1.BadgeService/ListBadges", ""),
    own(CREATE_BENEFIT, benefit!("$-created")),
    named(
        "tierline.program.v1.BenefitService/UpdateBenefit",
        r#"benefit { benefit_id: "$-edited" description: "Any" }"#,
    )
    .given(&[(CREATE_BENEFIT, benefit!("$-edited"))]),
    named(
        "tierline.program.v1.BenefitService/GetBenefit",
        r#"benefit_id: "$-shown""#,
    )
    .given(&[(CREATE_BENEFIT, benefit!("$-shown"))]),
    named(ARCHIVE_BENEFIT, r#"benefit_id: "$-archived""#)
        .given(&[(CREATE_BENEFIT, benefit!("$-archived"))]),
    named(
        "tierline.program.v1.BenefitService/RestoreBenefit",
        r#"benefit_id: "$-restored""#,
    )
    .given(&[
        (CREATE_BENEFIT, benefit!("$-restored")),
        (ARCHIVE_BENEFIT, r#"benefit_id: "$-restored""#),
    ]),
    own("tierline.program.v1.BenefitService/SeedBenefits", ""),
    // query
    own(DEFINE_FORM, form!("$-drafted")),
    named(PUBLISH_FORM, r#"form_id: "$-published""#)
        .given(&[(DEFINE_FORM, form!("$-published"))]),
    named(
        "tierline.application.v1.FormService/GetForm",
        r#"form_id: "$-form""#,
    )
    .given(&[(DEFINE_FORM, form!("$-form"))]),
    named(SUBMIT, r#"form_id: "$-open""#).given(&[
        (DEFINE_FORM, form!("$-open")),
        (PUBLISH_FORM, r#"form_id: "$-open""#),
    ]),
    named(
        "tierline.application.v1.SubmissionService/GetSubmission",
        r#"submission_id: "<$-asked>""#,
    )
    .given(submitted!("$-asked")),
    named(
        "tierline.application.v1.SubmissionService/ApproveSubmission",
        r#"submission_id: "<$-liked>""#,
    )
    .given(submitted!("$-liked")),
    named(
        "tierline.application.v1.SubmissionService/RejectSubmission",
        r#"submission_id: "<$-declined>" note: "no""#,
    )
    .given(submitted!("$-declined")),
    own("tierline.query.v1.ApplicationQueryService/ListForms", ""),
    own(
        "tierline.query.v1.ApplicationQueryService/ListSubmissions",
        "",
    ),
    own("tierline.query.v1.PartnerQueryService/ListPartners", r#"group_by: "status""#),
    named(
        "tierline.query.v1.PartnerQueryService/GetPartnerView",
        r#"partner_id: "$-one""#,
    ),
    own("tierline.query.v1.ProgramQueryService/ListPrograms", ""),
    own("tierline.query.v1.SegmentQueryService/ListSegments", ""),
    named(
        "tierline.query.v1.SegmentQueryService/ListSegmentMembers",
        r#"segment_id: "$-members""#,
    )
    .given(&[(CREATE_SEGMENT, segment!("$-members"))]),
    named(
        "tierline.query.v1.SegmentQueryService/ExplainSegments",
        r#"partner_id: "$-one""#,
    ),
    own("tierline.query.v1.BenefitQueryService/ListBenefits", ""),
    named(
        "tierline.query.v1.BenefitQueryService/GetProgramBenefits",
        r#"program_id: "$-prog""#,
    ),
    named(
        "tierline.query.v1.BenefitQueryService/GetPartnerBenefits",
        r#"partner_id: "$-one""#,
    ),
    named(
        "tierline.query.v1.StandingQueryService/GetStanding",
        r#"enrollment_id: "$-e""#,
    ),
    own("tierline.query.v1.StandingQueryService/ListStandings", ""),
    selection(
        "tierline.query.v1.AuditService/ListTierHistory",
        r#"enrollment_id: "$-e""#,
    ),
    named(
        "tierline.query.v1.AuditService/ExplainDecision",
        r#"decision_id: "$-e/1""#,
    ),
    named(
        "tierline.query.v1.AuditService/ReplayDecisions",
        r#"enrollment_id: "$-e""#,
    ),
    own(
        "tierline.query.v1.WhatIfService/PreviewProgram",
        concat!("draft {", program!("$-valid"), "}"),
    ),
    named(
        "tierline.query.v1.WhatIfService/BacktestProgram",
        r#"program_id: "$-prog""#,
    ),
    named(
        "tierline.query.v1.WhatIfService/PreviewPartner",
        r#"partner_id: "$-one""#,
    ),
    cell("tierline.query.v1.OperationsService/GetStatus", "", "OK"),
    cell("tierline.query.v1.OperationsService/ListParked", "", "OK"),
    cell(
        "tierline.query.v1.OperationsService/RetryParked",
        r#"consumer: "projector-partners-v1" routing_key: "a/a-one""#,
        "NOT_FOUND",
    ),
    cell(
        "tierline.query.v1.OperationsService/SkipParked",
        r#"consumer: "projector-partners-v1" partition: 1 number: 1 reason: "no""#,
        "NOT_FOUND",
    ),
];
