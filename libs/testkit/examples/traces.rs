//! Listens for traces on the loopback and prints what each call led to, hop by hop.
//!
//! ```text
//! cargo run -p tierline-testkit --example traces -- 127.0.0.1:4317 WinDeal
//! ```
//!
//! The second word is a part of the names of the calls to print; without it all are.

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tierline_testkit::otlp::{TraceReceiver, hops};

/// A trace is printed when this long after its call everything that follows has been sent.
const SETTLED: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:4317".to_owned());
    let wanted = words.next().unwrap_or_default();
    let address: SocketAddr = address
        .parse()
        .expect("the first word is an address with a port");
    let receiver = TraceReceiver::start_on(address).await;
    println!("listening: --otlp-endpoint {}", receiver.endpoint());
    let mut printed: HashSet<String> = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let spans = receiver.spans();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        for call in spans.iter().filter(|span| span.kind == "SERVER") {
            let age = now.saturating_sub(Duration::from_nanos(call.start));
            if age > SETTLED && call.name.contains(&wanted) && printed.insert(call.span_id.clone())
            {
                println!("{}", hops(&spans, call));
            }
        }
    }
}
