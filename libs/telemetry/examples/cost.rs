//! What the spans of one command cost: while nobody wants traces, with ids for log lines alone, and
//! with every trace kept and sent to an address where nobody listens.
//!
//! ```text
//! cargo run --release -p tierline-telemetry --example cost
//! ```

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use tierline_telemetry::metrics::CommandOutcome;
use tierline_telemetry::trace::{self, TraceSettings};

const ROUNDS: u32 = 200_000;
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The three spans of a command, as the gate, the runner and the append make them.
async fn command() {
    let call = trace::server_call("tierline.activity.v1.DealService/WinDeal", Some(CALLER));
    let command = call.run(async { trace::command("Deal", "acme") }).await;
    let append = command.run(async { trace::append("Deal") }).await;
    black_box(append.traceparent());
    append.run(async { black_box(0) }).await;
    command.ended(CommandOutcome::Done);
    call.answered("OK");
}

async fn measure(what: &str) {
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        command().await;
    }
    let each = begin.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
    println!("{what:<40} {each:>8.0} ns a command");
}

#[tokio::main]
async fn main() {
    measure("nobody wants traces").await;
    let settings = TraceSettings {
        endpoint: match std::env::args().nth(1).as_deref() {
            Some("ids") => None,
            _ => Some("http://127.0.0.1:9".to_owned()),
        },
        ratio: 1.0,
        ids: true,
        version: "0",
        parts: String::new(),
    };
    let what = match settings.endpoint {
        Some(_) => "every trace kept",
        None => "ids for log lines",
    };
    let tracing = trace::start(&settings).expect("the address is one");
    measure(what).await;
    tracing.stop(Duration::from_millis(100)).await;
}
