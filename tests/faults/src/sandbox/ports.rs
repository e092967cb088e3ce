//! Ports that stay the same through restarts.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;
use rand::Rng as _;

/// Below the range from which the system takes ports of outgoing connections, so that a server
/// that is down for a while finds its port free again.
const RANGE: std::ops::Range<u16> = 10_000..20_000;
/// Ports that are tried.
const ATTEMPTS: u32 = 200;

/// A port that nobody listens on.
///
/// # Errors
/// When none of many is free.
pub fn free() -> anyhow::Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = rand::rng().random_range(RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of {RANGE:?} is free")
}
