//! Forms and submissions.

use sqlx::Row;
use sqlx::types::Json;
use tierline_domain::application::SubmissionState;
use tierline_proto::application::v1 as application;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::application_query_service_server::ApplicationQueryService;
use tierline_readmodel::{FORMS, FormRow, SUBMISSIONS, SubmissionRow};
use tierline_rpc::Caller;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::order_by::{OrderBy, OrderField};
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::instant;
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::tokens::Holds;

/// Whoever is confined to a partner sees no form: none belongs to a partner.
const NO_PARTNER: &str = "NULL::text";

const FORM_SOURCE: Source = Source {
    from: "read.forms t",
    partner: NO_PARTNER,
    fields: &[
        FilterField::new("form_id", "t.key", FieldKind::Id),
        FilterField::new("title", "t.title", FieldKind::Text),
        FilterField::new("published", "t.published", FieldKind::Flag),
        FilterField::new("has_draft", "t.has_draft", FieldKind::Flag),
        FilterField::new("create_time", "t.create_time", FieldKind::Time),
        FilterField::new("update_time", "t.update_time", FieldKind::Time),
    ],
};

const FORM_ORDER: &[OrderField] = &[
    OrderField::new("form_id", "t.key", "text"),
    OrderField::new("title", "t.title", "text"),
    OrderField::new("create_time", "t.create_time", "timestamptz"),
    OrderField::new("update_time", "t.update_time", "timestamptz"),
];

const SUBMISSION_SOURCE: Source = Source {
    from: "read.submissions t",
    partner: NO_PARTNER,
    fields: &[
        FilterField::new("submission_id", "t.key", FieldKind::Id),
        FilterField::new("form", "t.form", FieldKind::Id),
        FilterField::new("form_version", "t.form_version", FieldKind::Number),
        FilterField::new(
            "state",
            "t.review",
            FieldKind::Word(&["pending", "approved", "rejected"]),
        ),
        FilterField::new("decided_by", "t.decided_by", FieldKind::Text),
        FilterField::new("submit_time", "t.submit_time", FieldKind::Time),
        FilterField::new("decide_time", "t.decide_time", FieldKind::Time),
    ],
};

const SUBMISSION_ORDER: &[OrderField] = &[
    OrderField::new("submit_time", "t.submit_time", "timestamptz"),
    OrderField::new("form", "t.form", "text"),
    OrderField::new("state", "t.review", "text"),
    OrderField::new("submission_id", "t.key", "text"),
];

#[tonic::async_trait]
impl ApplicationQueryService for Query {
    async fn list_forms(
        &self,
        request: Request<pb::ListFormsRequest>,
    ) -> Result<Response<pb::ListFormsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.forms(&caller, request.into_inner()).await?,
        ))
    }

    async fn list_submissions(
        &self,
        request: Request<pb::ListSubmissionsRequest>,
    ) -> Result<Response<pb::ListSubmissionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.submissions(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn forms(
        &self,
        caller: &Caller,
        request: pb::ListFormsRequest,
    ) -> Result<pb::ListFormsResponse, Fault> {
        let org = &caller.org;
        let selected = Selected::new(&FORM_SOURCE, org, caller.confined_to(), &request.filter)?;
        let order = OrderBy::parse(&request.order_by, FORM_ORDER, "form_id", "form_id")?;
        let canonical = order.canonical();
        let binding = ["ListForms", org.as_str(), &request.filter, &canonical];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        self.wait_for(&request.consistency_token, org, &[Holds::Written(FORMS)])
            .await?;
        let (rows, next_page_token) = selected.page(self.pool(), "t.state", &order, &page).await?;
        let mut forms = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(row): Json<FormRow> = row.try_get(0)?;
            forms.push(form_summary(row));
        }
        Ok(pb::ListFormsResponse {
            forms,
            next_page_token,
            total_size: selected.count(self.pool()).await?,
        })
    }

    async fn submissions(
        &self,
        caller: &Caller,
        request: pb::ListSubmissionsRequest,
    ) -> Result<pb::ListSubmissionsResponse, Fault> {
        let org = &caller.org;
        let (source, confined) = (&SUBMISSION_SOURCE, caller.confined_to());
        let selected = Selected::new(source, org, confined, &request.filter)?;
        let order = OrderBy::parse(
            &request.order_by,
            SUBMISSION_ORDER,
            "submit_time desc",
            "submission_id",
        )?;
        let canonical = order.canonical();
        let binding = ["ListSubmissions", org.as_str(), &request.filter, &canonical];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        let needed = [Holds::Written(SUBMISSIONS)];
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let (rows, next_page_token) = selected.page(self.pool(), "t.state", &order, &page).await?;
        let mut submissions = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(row): Json<SubmissionRow> = row.try_get(0)?;
            submissions.push(submission_summary(row));
        }
        Ok(pb::ListSubmissionsResponse {
            submissions,
            next_page_token,
            total_size: selected.count(self.pool()).await?,
        })
    }
}

fn form_summary(row: FormRow) -> pb::FormSummary {
    pb::FormSummary {
        form_id: row.form.to_string(),
        title: row.title,
        newest_version: row.newest_version,
        publish_time: row.publish_time.and_then(instant),
        has_draft: row.has_draft,
        create_time: instant(row.create_time),
        update_time: instant(row.update_time),
    }
}

fn submission_summary(row: SubmissionRow) -> pb::SubmissionSummary {
    let decide_time = row.decided.as_ref().and_then(|line| instant(line.at));
    let state = match row.state {
        SubmissionState::Pending => application::SubmissionState::Pending,
        SubmissionState::Approved => application::SubmissionState::Approved,
        SubmissionState::Rejected => application::SubmissionState::Rejected,
    };
    pb::SubmissionSummary {
        submission_id: row.submission.to_string(),
        form_id: row.form.to_string(),
        form_version: row.form_version,
        state: state.into(),
        submit_time: instant(row.submit_time),
        decided_by: row.decided.map(|line| line.by).unwrap_or_default(),
        decide_time,
    }
}
