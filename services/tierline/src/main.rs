//! The one executable: every service as a target, and the command line.
//!
//! `cli.rs` is the list of subcommands; each has a file of its own in `commands/`. `node.rs` puts
//! the services of a process together.

mod bench;
mod bulk;
mod cli;
mod client;
mod commands;
mod config_flags;
mod database;
mod demo;
mod local_keys;
mod memory;
mod messages;
mod node;
mod output;
mod schema;
mod version;
mod visible;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Decoding and encoding events is half of the work, and half of that is asking for memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::problem(&format!("the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => {
            output::problem(&output::chain(&error));
            ExitCode::FAILURE
        }
    }
}
