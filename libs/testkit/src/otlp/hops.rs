//! A trace as a text, hop by hop: what a call led to, also in the spans that only link to it.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{SeenLink, SeenSpan};

/// Everything that followed from a span: its children, and then, behind `~`, the spans that link
/// to it.
/// Each span is told once, with its begin after that of the first.
pub fn hops(spans: &[SeenSpan], first: &SeenSpan) -> String {
    let mut text = format!("trace {}\n", first.trace_id);
    let mut told = HashSet::new();
    tell(spans, first, None, (first.start, 1), &mut told, &mut text);
    text
}

fn tell<'a>(
    spans: &'a [SeenSpan],
    span: &'a SeenSpan,
    link: Option<&SeenLink>,
    (begin, depth): (u64, usize),
    told: &mut HashSet<&'a str>,
    text: &mut String,
) {
    if !told.insert(&span.span_id) {
        return;
    }
    line(span, link, (begin, depth), text);
    let mut next: Vec<(&SeenSpan, Option<&SeenLink>)> = spans
        .iter()
        .filter_map(|other| {
            let child = other.parent == span.span_id && other.trace_id == span.trace_id;
            let link = other.link_to(span);
            (child || link.is_some()).then_some((other, link.filter(|_| !child)))
        })
        .collect();
    next.sort_by_key(|(other, link)| (link.is_some(), other.start));
    for (other, link) in next {
        tell(spans, other, link, (begin, depth + 1), told, text);
    }
}

fn line(span: &SeenSpan, link: Option<&SeenLink>, (begin, depth): (u64, usize), text: &mut String) {
    let after = span.start.saturating_sub(begin) as f64 / 1e6;
    let took = span.took.as_secs_f64() * 1e3;
    let mark = if link.is_some() { "~ " } else { "" };
    let name = format!("{}{mark}{}", "  ".repeat(depth), span.name);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{name:<60} {:<8} at {after:>8.1} ms, took {took:>7.1} ms",
        span.kind
    );
    if let Some(link) = link {
        let of = |name| link.attribute(name).unwrap_or("");
        let event = of("tierline.event.type");
        let event = event.rsplit('.').next().unwrap_or(event);
        let (partition, number) = (
            of("tierline.log.partition"),
            of("tierline.log.partition_number"),
        );
        if !event.is_empty() {
            let _ = write!(text, "  {event} ({partition}/{number})");
        }
    }
    if span.failed {
        text.push_str("  FAILED");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn span(id: &str, trace: &str, parent: &str, start: u64) -> SeenSpan {
        SeenSpan {
            trace_id: trace.to_owned(),
            span_id: id.to_owned(),
            parent: parent.to_owned(),
            name: format!("work {id}"),
            kind: "INTERNAL",
            start,
            took: Duration::from_millis(2),
            attributes: Vec::new(),
            links: Vec::new(),
            failed: false,
        }
    }

    #[test]
    fn children_and_those_who_link_are_told_once_and_in_order() {
        let mut batch = span("c", "t2", "", 3_000_000);
        batch.links = vec![SeenLink {
            trace_id: "t1".to_owned(),
            span_id: "b".to_owned(),
            attributes: vec![("tierline.event.type".to_owned(), "x.v1.DealWon".to_owned())],
        }];
        let mut decision = span("d", "t1", "b", 4_000_000);
        decision.links = vec![SeenLink {
            trace_id: "t2".to_owned(),
            span_id: "c".to_owned(),
            attributes: Vec::new(),
        }];
        let spans = [
            span("a", "t1", "", 0),
            span("b", "t1", "a", 1_000_000),
            batch,
            decision,
        ];
        let text = hops(&spans, &spans[0]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[3].contains("    work d"), "{text}");
        assert!(lines[3].contains("at      4.0 ms"), "{text}");
        assert!(lines[4].contains("    ~ work c"), "{text}");
        assert!(lines[4].ends_with("DealWon (/)"), "{text}");
    }
}
