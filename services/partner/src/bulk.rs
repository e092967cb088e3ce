//! Described partners, many at a time.

use std::collections::HashSet;

use tierline_domain::partner::{Partner, PartnerCommand};
use tierline_domain::{PartnerId, Rejection};
use tierline_proto::common::v1::RowResults;
use tierline_proto::partner::v1 as pb;
use tierline_rpc::Commands;
use tierline_rpc::bulk::{self, Answers, BulkCall, Row};
use tierline_rpc::convert::Reader;
use tierline_rpc::dispatch::checked;
use tonic::{Request, Response, Status, Streaming};

use crate::convert;
use crate::service::{in_request, no_such_parent};

pub(crate) fn serve(
    commands: Commands,
    request: Request<Streaming<pb::RecordPartnersRequest>>,
) -> Result<Response<Answers>, Status> {
    bulk::serve(request, move |call, batch| {
        record(commands.clone(), call, batch)
    })
}

async fn record(
    commands: Commands,
    mut call: BulkCall,
    batch: pb::RecordPartnersRequest,
) -> Result<RowResults, Status> {
    commands.stamp(&mut call).await?;
    let mut rows: Vec<Row<PartnerCommand>> = batch.rows.into_iter().map(read).collect();
    // A parent may stand in the same batch, before or after its child.
    let described: HashSet<String> = rows
        .iter()
        .filter(|row| row.runs())
        .map(|row| row.id.clone())
        .collect();
    for row in &mut rows {
        row.needs = row
            .needs
            .take()
            .filter(|parent| !described.contains(parent.as_str()));
    }
    let refuse: fn(&PartnerId) -> Rejection = no_such_parent;
    bulk::refuse_strangers(&commands, &call.context.org, &mut rows, refuse).await?;
    Ok(bulk::run_rows::<Partner>(&commands, &call, rows, in_request, bulk::keep).await)
}

fn read(row: pb::PartnerRow) -> Row<PartnerCommand> {
    let mut reader = Reader::new();
    let ordinal = row.row;
    let id = row
        .partner
        .as_ref()
        .map(|partner| partner.partner_id.clone())
        .unwrap_or_default();
    let record = convert::row(&mut reader, row);
    let needs = record.profile.parent.clone();
    let command = PartnerCommand::Record(Box::new(record));
    Row {
        row: ordinal,
        id,
        needs,
        task: checked::<Partner>(reader, command, in_request).into(),
    }
}
