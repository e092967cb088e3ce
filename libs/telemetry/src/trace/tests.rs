use super::*;

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn metadata(traceparent: &str) -> String {
    format!(r#"{{"actor":"user:x","traceparent":"{traceparent}"}}"#)
}

fn produced(metadata: &str) -> Produced<'_> {
    Produced {
        metadata,
        event_type: "tierline.activity.v1.DealWon",
        partition: 3,
        number: 7,
    }
}

fn settings(endpoint: Option<&str>) -> TraceSettings {
    TraceSettings {
        endpoint: endpoint.map(str::to_owned),
        ratio: 1.0,
        ids: true,
        version: "1",
        parts: "all".to_owned(),
    }
}

#[test]
fn a_traceparent_is_read_as_the_standard_says() {
    assert_eq!(text_of(&parse(SAMPLED).unwrap()), SAMPLED);
    for (text, good) in [
        (
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            true,
        ),
        // A later version may have more.
        (
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            true,
        ),
        (
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            false,
        ),
        (
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            false,
        ),
        (
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            false,
        ),
        (
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            false,
        ),
        (
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            false,
        ),
        (
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            false,
        ),
        (
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            false,
        ),
        ("", false),
        ("00-é", false),
    ] {
        assert_eq!(is_traceparent(text), good, "{text}");
    }
}

#[test]
fn a_batch_links_to_each_recorded_span_once_and_to_a_bounded_number() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let of = |span: usize, flags: &str| metadata(&format!("00-{trace}-{span:016x}-{flags}"));
    let mut stored: Vec<String> = (1..=100).flat_map(|n| [of(n, "01"), of(n, "01")]).collect();
    stored.insert(0, of(900, "00"));
    stored.insert(0, r#"{"actor":"user:x"}"#.to_owned());
    stored.insert(0, "not json".to_owned());
    let links = links_of(stored.iter().map(|text| produced(text)));
    assert_eq!(links.len(), MAX_LINKS);
    let spans: HashSet<SpanId> = links
        .iter()
        .map(|link| link.span_context.span_id())
        .collect();
    assert_eq!(spans.len(), MAX_LINKS);
    assert!(links.iter().all(|link| link.span_context.is_sampled()));
    assert!(!spans.contains(&SpanId::from_hex("0000000000000384").unwrap()));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let error = start(&settings(Some("http://[nowhere"))).unwrap_err();
    assert!(error.to_string().contains("http://[nowhere"), "{error}");
}
