//! `tierline ready`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config_flags::ConfigFlags;
use crate::output;

/// Longest wait; probes have little patience themselves.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most of an answer that is read.
const LONGEST: u64 = 64 * 1024;

/// Asks the process of this machine or container whether it is ready, at its admin address.
///
/// For probes where there is no other program that could ask. Exit code: 0 when it is ready, 1 when
/// it is not or does not answer.
#[derive(Debug, clap::Args)]
pub struct ReadyArgs {
    #[command(flatten)]
    flags: ConfigFlags,
}

pub async fn run(args: ReadyArgs) -> anyhow::Result<ExitCode> {
    let address = own(args.flags.load()?.admin_listen);
    let answer = match tokio::time::timeout(PATIENCE, ask(address)).await {
        Ok(answer) => answer.with_context(|| format!("nobody answers at {address}"))?,
        Err(_) => bail!("no answer from {address} within {} s", PATIENCE.as_secs()),
    };
    let (ready, text) = read(&answer);
    output::line(text.trim_end());
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where to reach what listens everywhere.
fn own(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the answer is a yes, and what it says.
fn read(answer: &str) -> (bool, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split_whitespace().nth(1);
    (status == Some("200"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_a_yes() {
        assert_eq!(
            read("HTTP/1.1 200 OK\r\na: b\r\n\r\nready\n"),
            (true, "ready\n")
        );
        assert_eq!(
            read("HTTP/1.1 503 Service Unavailable\r\n\r\nstart"),
            (false, "start")
        );
        assert_eq!(read(""), (false, ""));
    }

    #[test]
    fn what_listens_everywhere_is_asked_on_the_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:7701", "127.0.0.1:7701"),
            ("[::]:7701", "[::1]:7701"),
            ("10.0.0.4:80", "10.0.0.4:80"),
        ] {
            assert_eq!(own(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
