//! One trace from the call to the table that shows its effect, checked hop by hop.

use std::time::Duration;

use sqlx::Row;
use tierline_proto::partner::v1::Contact;
use tierline_testkit::otlp::{SeenSpan, TraceReceiver, hops};
use tierline_testkit::{TestDatabase, eventually_some};

use crate::calls::Caller;
use crate::program::Program;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn contact() -> Contact {
    Contact {
        first_name: "Ada".to_owned(),
        last_name: "Byron".to_owned(),
        email: "ada@lovelace.example".to_owned(),
        ..Contact::default()
    }
}

/// The hops from a won deal to the table of standings.
struct Hops {
    call: SeenSpan,
    command: SeenSpan,
    append: SeenSpan,
    evaluator: SeenSpan,
    decision: SeenSpan,
    projector: SeenSpan,
}

/// Follows the trace from its call; `None` while a hop is missing.
fn follow(spans: &[SeenSpan], trace: &str) -> Option<Hops> {
    let in_trace = |name: &str| {
        let found = spans
            .iter()
            .find(|span| span.trace_id == trace && span.name == name);
        found.cloned()
    };
    let linked = |name: &str, to: &SeenSpan| {
        let mut named = spans.iter().filter(|span| span.name == name);
        named.find(|span| span.link_to(to).is_some()).cloned()
    };
    let append = in_trace("append Deal")?;
    let decision = in_trace("decide Standing")?;
    Some(Hops {
        call: in_trace("tierline.activity.v1.DealService/WinDeal")?,
        command: in_trace("command Deal")?,
        evaluator: linked("process tier-evaluator", &append)?,
        projector: linked("process projector-standings", &decision)?,
        append,
        decision,
    })
}

async fn won(receiver: &TraceReceiver, trace: &str) -> Hops {
    let what = "every hop from the call to the read model";
    eventually_some(Duration::from_secs(30), what, async || {
        follow(&receiver.spans(), trace)
    })
    .await
}

/// Type and traceparent of every event of a stream.
async fn stored(database: &TestDatabase, kind: &str) -> Vec<(String, String)> {
    let pool = database.pool(1).await;
    let rows = sqlx::query(
        "SELECT event_type, metadata->>'traceparent' FROM events WHERE aggregate_type = $1
         ORDER BY recorded_at, sequence",
    )
    .bind(kind)
    .fetch_all(&pool)
    .await
    .unwrap();
    let text = |row: &sqlx::postgres::PgRow, column| row.try_get::<String, _>(column).unwrap();
    rows.iter()
        .map(|row| (text(row, 0), text(row, 1)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_won_deal_is_one_chain_from_the_call_to_the_read_model() {
    let receiver = TraceReceiver::start().await;
    let database = TestDatabase::create().await;
    let server = Program::start_with(&[
        ("TIERLINE_DATABASE_URL", database.url()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
    ]);
    let caller = Caller::in_new_org(&server, "traced").await;
    caller.partner("lovelace", contact()).await.unwrap();
    caller
        .register("lovelace", "big", "2026-01-10")
        .await
        .unwrap();
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let tier = caller.win("lovelace", "big", "2026-02-10", Some(&traceparent));
    assert_eq!(tier.await.unwrap(), "Gold");

    let hop = won(&receiver, TRACE).await;
    println!("{}", hops(&receiver.spans(), &hop.call));
    assert_eq!(
        (hop.call.kind, hop.call.parent.as_str()),
        ("SERVER", CALLER)
    );
    let said = ["rpc.system.name", "rpc.method", "rpc.response.status_code"]
        .map(|name| hop.call.attribute(name).unwrap_or("").to_owned());
    assert_eq!(
        said,
        ["grpc", "tierline.activity.v1.DealService/WinDeal", "OK"]
    );
    assert_eq!(hop.command.parent, hop.call.span_id);
    assert_eq!(hop.command.attribute("tierline.outcome"), Some("done"));
    assert_eq!(
        (hop.append.kind, &hop.append.parent),
        ("PRODUCER", &hop.command.span_id)
    );

    assert_eq!(
        (hop.evaluator.kind, hop.evaluator.parent.as_str()),
        ("CONSUMER", "")
    );
    assert_ne!(hop.evaluator.trace_id, TRACE);
    let link = hop.evaluator.link_to(&hop.append).unwrap();
    let event = link.attribute("tierline.event.type");
    assert_eq!(event, Some("tierline.activity.v1.DealWon"));

    assert_eq!(
        (hop.decision.kind, &hop.decision.parent),
        ("PRODUCER", &hop.append.span_id)
    );
    assert!(
        hop.decision.link_to(&hop.evaluator).is_some(),
        "{:?}",
        hop.decision
    );
    let link = hop.projector.link_to(&hop.decision).unwrap();
    let event = link.attribute("tierline.event.type").unwrap();
    assert!(event.starts_with("tierline.standing.v1."), "{event}");

    // What is stored is what the spans were.
    let of = |span: &SeenSpan| format!("00-{TRACE}-{}-01", span.span_id);
    let deals = stored(&database, "Deal").await;
    assert_eq!(
        deals[1],
        ("tierline.activity.v1.DealWon".to_owned(), of(&hop.append))
    );
    let standings = stored(&database, "Standing").await;
    let changed = standings
        .iter()
        .find(|(_, parent)| *parent == of(&hop.decision));
    assert!(changed.is_some(), "{standings:?}");

    // A caller without a trace begins one.
    let own = &deals[0].1;
    assert!(own.ends_with("-01") && !own.contains(TRACE), "{own}");
    let registered = receiver.spans().into_iter().find(|span| {
        span.name == "tierline.activity.v1.DealService/RegisterDeal" && own.contains(&span.trace_id)
    });
    assert_eq!(registered.unwrap().parent, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_does_not_keep_is_kept_nowhere_and_its_ids_are_in_the_log() {
    let receiver = TraceReceiver::start().await;
    let database = TestDatabase::create().await;
    let server = Program::start_with(&[
        ("TIERLINE_DATABASE_URL", database.url()),
        ("TIERLINE_OTLP_ENDPOINT", receiver.endpoint()),
        ("TIERLINE_TRACE_SAMPLE_RATIO", "0".to_owned()),
        ("TIERLINE_LOG_FORMAT", "json".to_owned()),
        ("TIERLINE_LOG_LEVEL", "debug".to_owned()),
    ]);
    let caller = Caller::in_new_org(&server, "traced").await;
    caller.partner("lovelace", contact()).await.unwrap();
    caller
        .register("lovelace", "small", "2026-01-10")
        .await
        .unwrap();
    let kept = format!("00-{TRACE}-{CALLER}-01");
    let tier = caller.win("lovelace", "small", "2026-02-10", Some(&kept));
    assert_eq!(tier.await.unwrap(), "Gold");
    won(&receiver, TRACE).await;
    // Of all the other calls nothing: neither they nor what followed from them.
    let spans = receiver.spans();
    let foreign: Vec<&SeenSpan> = spans
        .iter()
        .filter(|span| span.trace_id != TRACE && span.links.is_empty())
        .collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
    let deals = stored(&database, "Deal").await;
    assert!(deals[0].1.ends_with("-00"), "{deals:?}");

    // Break something, so that a call has to say what happened to it.
    let pool = database.pool(1).await;
    let refuse = "ALTER TABLE events ADD CONSTRAINT nothing_more CHECK (false) NOT VALID";
    sqlx::raw_sql(refuse).execute(&pool).await.unwrap();
    let failed = caller
        .register("lovelace", "other", "2026-01-10")
        .await
        .unwrap_err();
    assert_eq!(failed.code(), tonic::Code::Internal, "{failed}");
    let line = eventually_some(
        Duration::from_secs(10),
        "the line of the error",
        async || {
            let log = server.log();
            let lines = log.lines().filter(|line| line.starts_with('{'));
            let mut parsed =
                lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            parsed.find(|line| line["level"] == "ERROR")
        },
    )
    .await;
    let trace = line["trace_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{line}"));
    assert_eq!(
        (trace.len(), line["span_id"].as_str().map(str::len)),
        (32, Some(16)),
        "{line}"
    );
    assert!(
        line["message"].as_str().is_some_and(|text| text.len() > 10),
        "{line}"
    );
    assert!(line["timestamp"].as_str().is_some(), "{line}");
    println!("{line}");
}
