//! Described activities, many at a time.

use tierline_domain::activity::{Record, RecordCommand};
use tierline_proto::activity::v1 as pb;
use tierline_proto::common::v1::RowResults;
use tierline_rpc::Commands;
use tierline_rpc::bulk::{self, Answers, BulkCall, Row};
use tierline_rpc::convert::Reader;
use tierline_rpc::dispatch::{checked, same};
use tonic::{Request, Response, Status, Streaming};

use super::convert;

pub(super) fn serve(
    commands: Commands,
    request: Request<Streaming<pb::RecordActivitiesRequest>>,
) -> Result<Response<Answers>, Status> {
    bulk::serve(request, move |call, batch| {
        record(commands.clone(), call, batch)
    })
}

async fn record(
    commands: Commands,
    mut call: BulkCall,
    batch: pb::RecordActivitiesRequest,
) -> Result<RowResults, Status> {
    commands.stamp(&mut call).await?;
    let mut rows: Vec<Row<RecordCommand>> = batch.rows.into_iter().map(read).collect();
    let org = &call.context.org;
    bulk::refuse_strangers(&commands, org, &mut rows, bulk::no_such_partner).await?;
    Ok(bulk::run_rows::<Record>(&commands, &call, rows, same, bulk::keep).await)
}

fn read(row: pb::ActivityRow) -> Row<RecordCommand> {
    let mut reader = Reader::new();
    let (ordinal, id) = (row.row, row.record_id.clone());
    let described = convert::row(&mut reader, row);
    let needs = Some(described.partner.clone());
    let command = RecordCommand::Record(Box::new(described));
    Row {
        row: ordinal,
        id,
        needs,
        task: checked::<Record>(reader, command, same).into(),
    }
}
