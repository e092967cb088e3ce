//! Tracing is one per process, so that each of these files is one.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use tierline_telemetry::trace::*;

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn metadata(traceparent: &str) -> String {
    format!(r#"{{"actor":"user:x","traceparent":"{traceparent}"}}"#)
}

fn settings() -> TraceSettings {
    TraceSettings {
        endpoint: None,
        ratio: 1.0,
        ids: true,
        version: "1",
        parts: "all".to_owned(),
    }
}

fn produced(metadata: &str) -> Produced<'_> {
    Produced {
        metadata,
        event_type: "tierline.activity.v1.DealWon",
        partition: 3,
        number: 7,
    }
}

#[tokio::test]
async fn what_follows_from_a_call_is_tied_to_it() {
    let tracing = start(&settings()).unwrap();
    assert!(matches!(start(&settings()), Err(TraceError::AlreadySet)));
    append_inside_a_call().await;
    decisions_of_a_batch().await;
    tracing.stop(std::time::Duration::from_secs(1)).await;
}

/// An append belongs to the trace of the caller.
async fn append_inside_a_call() {
    let call = server_call("tierline.test/Call", Some(SAMPLED));
    let stored = call
        .run(async {
            let command = command("Deal", "acme");
            command.run(async { append("Deal").traceparent() }).await
        })
        .await
        .unwrap();
    assert_eq!(stored[..36], SAMPLED[..36]);
    assert!(stored.ends_with("-01"), "the caller has decided: {stored}");
    // Nobody sent anything: a trace of its own, not kept, since traces go nowhere.
    let own = server_call("tierline.test/Call", None)
        .traceparent()
        .unwrap();
    assert_ne!(own[..36], SAMPLED[..36]);
    assert!(own.ends_with("-00"), "{own}");
}

/// A decision continues the trace of the one event that led to it.
async fn decisions_of_a_batch() {
    let stored = metadata(SAMPLED);
    let one = origin(&stored).unwrap();
    let batch = consumer_batch("tier-evaluator", [produced(&stored)].into_iter());
    let (single, several) = batch
        .run(async {
            let mut decisions = Decisions::default();
            let single = decisions.decided(moment(), std::slice::from_ref(&one));
            let several = decisions.decided(moment(), &[one.clone(), one.clone()]);
            for _ in 2..MAX_DECISIONS {
                let _ = decisions.decided(moment(), &[]);
            }
            assert_eq!(decisions.decided(moment(), &[one]), current_traceparent());
            (single.unwrap(), several.unwrap())
        })
        .await;
    let (of_batch, of_fact) = (batch.traceparent().unwrap(), SAMPLED);
    assert_eq!(single[..36], of_fact[..36]);
    assert_ne!(single, of_fact);
    assert_eq!(several[..36], of_batch[..36]);
    assert_ne!(several, of_batch);
    assert_ne!(of_batch[..36], of_fact[..36]);
    assert_eq!(current_traceparent(), None);
}
